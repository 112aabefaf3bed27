//! A home with so many tokens as a busy collector has: `wall HOME COUNT`.
//!
//! A few small pieces are made; the tokens commit to variations of them, each of its own recipe and name. The latest are
//! those of somebody who means harm: metadata that is none, blocks that are missing, markup and marks of direction in
//! names, pictures that are none or claim to be huge. No variation could be verified; they are to be listed, searched and
//! scrolled past.

use std::{env, error::Error, fs};

use seedstorm_mint::{
    Bundle, Cid, Metadata, Mint, Store, block,
    unixfs::{self, Layout},
};
use seedstorm_sim::{Backend, Film, Recipe, recipe::ParamValue};
use seedstorm_studio::{
    Home, Quiet,
    ledger::{Ledger, ROYALTY_BPS},
    make::{Options, make},
};

/// How many pieces are made to vary, and their edge in pixels.
const MADE: u64 = 6;
const EDGE: u32 = 256;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [home, count] = &arguments[..] else { return Err("usage: wall HOME COUNT".into()) };
    let (home, count) = (Home::open(home)?, count.parse::<u64>()?);
    let bases = (0..MADE).map(|seed| Base::make(&home, seed)).collect::<Result<Vec<_>, _>>()?;
    let store = Store::open(home.store())?;
    let mut mints = Vec::new();
    for number in 0..count.saturating_sub(HARMS.len() as u64) {
        mints.push(bases[(number % MADE) as usize].vary(&store, number, Harm::None)?);
        if number % 1000 == 999 {
            eprintln!("{} variations", number + 1);
        }
    }
    for (number, harm) in HARMS.into_iter().enumerate() {
        mints.push(bases[number % bases.len()].vary(&store, count + number as u64, harm)?);
    }
    let tokens = Ledger::write(&home, ROYALTY_BPS)?.mint_all(mints)?;
    println!("{} tokens in {}", tokens.len(), home.root().display());
    Ok(())
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Harm {
    None,
    NoJson,
    NoMetadata,
    NoContent,
    Markup,
    Marks,
    LongName,
    Svg,
    HugePicture,
    Bomb,
    FolderForPicture,
}

const HARMS: [Harm; 10] = [
    Harm::NoJson,
    Harm::NoMetadata,
    Harm::NoContent,
    Harm::Markup,
    Harm::Marks,
    Harm::LongName,
    Harm::Svg,
    Harm::HugePicture,
    Harm::Bomb,
    Harm::FolderForPicture,
];

/// A piece that was made, and what it is varied by.
struct Base {
    recipe: Recipe,
    metadata: Metadata,
    sim_root: [u8; 32],
    entries: Vec<(String, unixfs::Entry)>,
}

impl Base {
    fn make(home: &Home, seed: u64) -> Result<Self, Box<dyn Error>> {
        let film = Film { frames: 4, fps: 4, width: EDGE, height: EDGE, samples: 8, renderer: "cpu".into() };
        let mut recipe = Recipe::new("bloom@1", seed.into(), film)?;
        recipe.params.extend([("arms", 13.0), ("rings", 8.0)].map(|(k, v)| (k.to_owned(), ParamValue::Number(v))));
        let options = Options { backend: Backend::Cpu, mint: false, ..Options::default() };
        let made = make(home, &recipe, &options, &Quiet)?;
        let bundle = Bundle::open(&made.bundle)?;
        let (metadata, _) = bundle.metadata(&bundle.content_cids()?)?;
        let store = Store::open(home.store())?;
        let mut entries = Vec::new();
        for name in ["film.mp4", "frames", "poster.png", "trajectory.bin"] {
            let path = made.bundle.join(name);
            if path.exists() {
                entries.push((name.to_owned(), unixfs::add_path(&path, Layout::KUBO, &mut &store)?));
            }
        }
        fs::remove_dir_all(&made.bundle)?;
        Ok(Self { recipe, metadata, sim_root: made.sim_root.0, entries })
    }

    /// What a token of another seed says, with content that is this piece's but for its recipe.
    fn vary(&self, store: &Store, number: u64, harm: Harm) -> Result<Mint, Box<dyn Error>> {
        let recipe = Recipe { seed: (1_000_000 + number).into(), ..self.recipe.clone() };
        let mut entries = self.entries.clone();
        let bytes = recipe.canonical();
        entries.push(("recipe.json".into(), unixfs::add_file(&bytes[..], Layout::KUBO, &mut &*store)?));
        let picture: Option<Vec<u8>> = match harm {
            Harm::Svg => Some(br#"<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>"#.to_vec()),
            Harm::HugePicture => Some(claims_to_be(60_000)),
            Harm::Bomb => Some(vec![0; 3 << 20]),
            _ => None,
        };
        for (name, entry) in &mut entries {
            if name == "poster.png" {
                if let Some(bytes) = &picture {
                    *entry = unixfs::add_file(&bytes[..], Layout::KUBO, &mut &*store)?;
                }
                if harm == Harm::FolderForPicture {
                    *entry = unixfs::add_folder(vec![], Layout::KUBO, &mut &*store)?;
                }
            }
        }
        let mut content = unixfs::add_folder(entries, Layout::KUBO, &mut &*store)?.cid;
        if harm == Harm::NoContent {
            content = Cid::new_v1(block::DAG_PB, *block::raw_cid(&number.to_le_bytes()).hash());
        }
        let mut metadata = self.metadata.clone();
        metadata.name = match harm {
            Harm::Marks => "Abc \u{202e}gnp.exe\u{202c} \u{7}\u{1b}[31mred\u{200f}\u{2066}".into(),
            Harm::Markup => "<img src=x onerror=alert(1)><b>bold</b> & “quotes”".into(),
            _ => format!("Bloom {number}"),
        };
        (metadata.recipe, metadata.bundle) = (recipe.cid(), content);
        let text = String::from_utf8(metadata.to_json()?)?;
        let text = match harm {
            Harm::NoJson => "<html><body>no metadata</body></html>".into(),
            Harm::LongName => text.replace(&metadata.name, &"Ẑ̷̢a̴l̵g̸o̷ ".repeat(20_000)),
            _ => text,
        };
        let token =
            if harm == Harm::NoMetadata { block::raw_cid(text.as_bytes()) } else { store.put_raw(text.as_bytes())? };
        Ok(Mint {
            to: seedstorm_mint::Address::repeat_byte(0x5e),
            metadata: token,
            recipe: recipe.cid(),
            sim_root: self.sim_root,
        })
    }
}

/// A PNG that says of itself to be a square of so many pixels.
fn claims_to_be(edge: u32) -> Vec<u8> {
    let mut bytes = b"\x89PNG\r\n\x1a\n".to_vec();
    let mut chunk = |name: &[u8; 4], data: &[u8]| {
        let body = [&name[..], data].concat();
        bytes.extend((data.len() as u32).to_be_bytes());
        bytes.extend(&body);
        bytes.extend(crc32(&body).to_be_bytes());
    };
    chunk(b"IHDR", &[&edge.to_be_bytes()[..], &edge.to_be_bytes(), &[8, 2, 0, 0, 0]].concat());
    chunk(b"IDAT", &[0x78, 0x9c, 3, 0, 0, 0, 0, 1]);
    chunk(b"IEND", &[]);
    bytes
}

/// The checksum of PNG (ISO 3309).
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 })
    })
}
