//! The corpus of the fuzz targets in `fuzz/corpus`, run without libFuzzer: `valid-…` and `near-…` are what this file
//! makes, `found-…` is what fuzzing found, each named for its bug.
//!
//! `cargo test --release --package seedstorm-studio --test fuzz_corpus -- --ignored` writes the first two again, after a
//! change of a format or of the engine's version.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

#[path = "../../fuzz/src/checks.rs"]
#[expect(unreachable_pub, reason = "it is a public module of the fuzz targets' crate")]
mod checks;

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use seedstorm_mint::{
    DisplayType, EmbeddedChain, Metadata, PrivateKeySigner, Rarity, Store, Trait, TraitValue,
    block::{DAG_PB, cid_of, raw_cid},
    car,
    unixfs::{self, Layout},
};
use seedstorm_sim::{Digest, Film, Recipe, recipe::ParamValue, trajectory::TrajectoryWriter};

type Check = fn(&[u8]);

const CHECKS: [(&str, Check); 8] = [
    ("recipe", checks::recipe),
    ("scene", checks::scene),
    ("trajectory", checks::trajectory),
    ("checkpoint", checks::checkpoint),
    ("car", checks::car),
    ("metadata", checks::metadata),
    ("keystore", checks::keystore),
    ("chain", checks::chain),
];

fn corpus() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus")
}

/// Inputs by target and name.
type Seeds = BTreeMap<String, Vec<u8>>;

fn seeds() -> Seeds {
    let mut seeds = Seeds::new();
    recipes(&mut seeds);
    scenes(&mut seeds);
    trajectories(&mut seeds);
    checkpoints(&mut seeds);
    archives(&mut seeds);
    metadata(&mut seeds);
    keys(&mut seeds);
    chains(&mut seeds);
    seeds
}

fn recipes(seeds: &mut Seeds) {
    let mut recipe = Recipe::new("tempest@1", 7.into(), Film::DRAFT).unwrap();
    recipe.params.insert("gravity".into(), ParamValue::Number(0.5));
    recipe.params.insert("motion".into(), ParamValue::Text("duel".into()));
    let text = String::from_utf8(recipe.canonical()).unwrap();
    let bloom = Recipe::new("bloom@1", 13.into(), Film::MASTER).unwrap();
    let near = |from: &str, to: &str| {
        let changed = text.replace(from, to);
        assert_ne!(changed, text);
        changed.into_bytes()
    };
    let list = [
        ("valid-tempest", text.clone().into_bytes()),
        ("valid-bloom", serde_json::to_vec_pretty(&bloom).unwrap()),
        ("valid-digits", near("0.5", "0.31245270191439438")),
        ("near-minus-zero", near("0.5", "-0.0")),
        ("near-infinite", near("0.5", "1e999")),
        ("near-twice", near("\"gravity\":0.5", "\"gravity\":0.5,\"gravity\":0.6")),
        ("near-null", near("0.5", "null")),
        ("near-escape", near("gravity", "gr\\u0061vity")),
        ("near-engine", near("seedstorm/", "seedstorm/9")),
        (
            "near-film",
            near(
                "{\"fps\":12,\"frames\":48,\"height\":256,\"renderer\":\"cpu\",\"samples\":16,\"width\":256}",
                "[48,12,256,256,16,\"cpu\"]",
            ),
        ),
        ("near-array", b"[\"seedstorm/2\",\"bloom@1\"]".to_vec()),
    ];
    seeds.extend(list.map(|(name, bytes)| (format!("recipe/{name}"), bytes)));
}

fn scenes(seeds: &mut Seeds) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../assets/scenes");
    let file = |text: &str| [&[0], text.as_bytes()].concat();
    let example = |name: &str| fs::read_to_string(folder.join(name)).unwrap();
    let [curtain, tower, vitrine] = ["curtain.toml", "tower.toml", "vitrine.toml"].map(example);
    let own = |name: &str| fs::read_to_string(folder.join("../../sim/src/scenario/authored").join(name)).unwrap();
    let (flood, plunge) = (own("flood.toml"), own("plunge.toml"));
    let near = |from: &str, to: &str| {
        let changed = checks::SCENE_WITH_MESH.replace(from, to);
        assert_ne!(changed, checks::SCENE_WITH_MESH);
        changed
    };
    // Few enough to be stepped.
    let small = "{ ball = 0.1 }, arrange = { row = 3, step = [0.5, 0, 0] }, name = \"a\"";
    let balls = near("{ mesh = \"a\" }", small).replace("meshes.a = { file = \"a.glb\" }\n", "");
    let joined = |joints: &str| file(&format!("joints = [{joints}]\n{balls}"));
    let document = seedstorm_sim::scenario::authored::Document::from_toml(&balls).unwrap();
    let json = String::from_utf8(document.canonical()).unwrap();
    let carried = |text: &str| [&[2], text.as_bytes()].concat();
    let mesh = |bytes: &[u8]| [&[1], bytes].concat();
    let (gltf, glb) = triangle_meshes();
    let list = [
        ("valid-curtain", file(&curtain)),
        ("valid-tower", file(&tower)),
        ("valid-vitrine", file(&vitrine)),
        ("valid-flood", file(&flood)),
        ("valid-plunge", file(&plunge)),
        ("valid-balls", file(&balls)),
        ("valid-joints", joined("{ kind = \"ball\", chain = \"a\", hang = true }")),
        ("valid-carried", carried(&json)),
        ("valid-gltf", mesh(gltf.as_bytes())),
        ("valid-glb", mesh(&glb)),
        ("near-many", file(&balls.replace("row = 3", "row = 1000000000"))),
        ("near-nan", file(&balls.replace("0.1", "nan"))),
        ("near-negative", file(&balls.replace("0.1", "-0.1"))),
        ("near-loop", joined("{ kind = \"ball\", between = [\"a[0]\", \"a[0]\"] }")),
        ("near-outside", file(&near("a.glb", "../a.glb"))),
        ("near-deep", file(&format!("a{} = 1", ".a".repeat(2000)))),
        ("near-twice", carried(&json.replace("\"scene\":1", "\"scene\":1,\"scene\":1"))),
        ("near-option", file(&flood.replacen("is = [\"", "is = [\"no-", 1))),
        ("near-cell", file(&plunge.replacen("cell = ", "cell = 1e9 # ", 1))),
        ("near-count", mesh(gltf.replace("\"count\":4", "\"count\":4000000000").as_bytes())),
        ("near-offset", mesh(gltf.replace("\"byteOffset\":48", "\"byteOffset\":18446744073709551615").as_bytes())),
        ("near-cut", mesh(&glb[..glb.len() - 7])),
    ];
    seeds.extend(list.map(|(name, bytes)| (format!("scene/{name}"), bytes)));
}

/// A tetrahedron, with its bytes in a data URI and behind it.
fn triangle_meshes() -> (String, Vec<u8>) {
    let points: [f32; 12] = [0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0];
    let faces: [u16; 12] = [0, 2, 1, 0, 1, 3, 0, 3, 2, 1, 2, 3];
    let bytes: Vec<u8> =
        points.iter().flat_map(|x| x.to_le_bytes()).chain(faces.iter().flat_map(|i| i.to_le_bytes())).collect();
    let json = |uri: &str| {
        format!(
            "{{\"asset\":{{\"version\":\"2.0\"}},\"scenes\":[{{\"nodes\":[0]}}],\"nodes\":[{{\"mesh\":0}}],\
             \"meshes\":[{{\"primitives\":[{{\"attributes\":{{\"POSITION\":0}},\"indices\":1}}]}}],\"accessors\":[\
             {{\"bufferView\":0,\"componentType\":5126,\"count\":4,\"type\":\"VEC3\"}},\
             {{\"bufferView\":1,\"componentType\":5123,\"count\":12,\"type\":\"SCALAR\"}}],\"bufferViews\":[\
             {{\"buffer\":0,\"byteLength\":48}},{{\"buffer\":0,\"byteOffset\":48,\"byteLength\":24}}],\
             \"buffers\":[{{{uri}\"byteLength\":72}}]}}"
        )
    };
    let base64 = "AAAAAAAAAAAAAAAAAACAPwAAAAAAAAAAAAAAAAAAgD8AAAAAAAAAAAAAAAAAAIA/AAACAAEAAAABAAMAAAADAAIAAQACAAMA";
    let gltf = json(&format!("\"uri\":\"data:application/octet-stream;base64,{base64}\","));
    let mut text = json("").into_bytes();
    text.resize(text.len().next_multiple_of(4), b' ');
    let words = |words: &[u32]| words.iter().flat_map(|word| word.to_le_bytes()).collect::<Vec<u8>>();
    let glb = [
        b"glTF".as_slice(),
        &words(&[2, (28 + text.len() + bytes.len()) as u32, text.len() as u32, 0x4E4F_534A]),
        &text,
        &words(&[bytes.len() as u32, 0x004E_4942]),
        &bytes,
    ];
    (gltf, glb.concat())
}

fn trajectories(seeds: &mut Seeds) {
    let written = |snapshots: usize| {
        let mut writer = TrajectoryWriter::new(3, 2);
        (0..snapshots as i32).for_each(|at| writer.push(vec![at, at * at, -at, 7, i32::MAX - at, at << 20]));
        writer.finish(&[Digest([1; 32]), Digest([2; 32])])
    };
    let whole = |bytes: &[u8]| [&[0], bytes].concat();
    let sealed = |bytes: &[u8]| [&[1], &bytes[..bytes.len() - 32]].concat();
    let long = written(17);
    let mut wide = long.clone();
    let index = long.len() - 36 - u32::from_le_bytes(*long[..long.len() - 32].last_chunk().unwrap()) as usize;
    wide[index..index + 4].copy_from_slice(&(1u32 << 21).to_le_bytes());
    let list = [
        ("valid-file", whole(&long)),
        ("valid-sealed", sealed(&long)),
        ("valid-one", sealed(&written(1))),
        ("valid-empty", sealed(&written(0))),
        ("near-cut", whole(&long[..long.len() - 1])),
        ("near-wide", sealed(&wide)),
        ("near-short", sealed(&long[..60])),
    ];
    seeds.extend(list.map(|(name, bytes)| (format!("trajectory/{name}"), bytes)));
}

fn checkpoints(seeds: &mut Seeds) {
    // Changes of a save: three bytes of offset, a length, the bytes.
    let change = |mode: u8, changes: &[(u32, &[u8])]| {
        let mut input = vec![mode];
        for (offset, bytes) in changes {
            input.extend(&offset.to_le_bytes()[..3]);
            input.push(bytes.len() as u8);
            input.extend(*bytes);
        }
        input
    };
    let most: &[u8] = &i32::MAX.to_le_bytes();
    let least: &[u8] = &i32::MIN.to_le_bytes();
    let list = [
        ("valid-bloom", change(0b100, &[])),
        ("valid-tempest", change(0b101, &[])),
        ("near-file", b"\x01SSSAVE\x02\n".to_vec()),
        ("near-body", b"\x03\x24\x01\x55\x12\x20".to_vec()),
        ("near-other-step", change(0b111, &[(0, &[0, 3, 0, 0])])),
        ("near-outside", change(0b111, &[(2, most)])),
        ("near-fast", change(0b111, &[(5, most), (6, least), (7, most)])),
        ("near-sheared", change(0b111, &[(8, &[0x7f; 36])])),
        ("near-dense", change(0b111, &[(17, most)])),
        ("near-crowded", change(0b111, &[(2, &[0, 0, 0, 4, 0, 0, 0, 4, 0, 0, 0, 4])])),
        ("near-bloom", change(0b110, &[(3, &[0xff; 16])])),
    ];
    seeds.extend(list.map(|(name, bytes)| (format!("checkpoint/{name}"), bytes)));
}

fn archives(seeds: &mut Seeds) {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path().join("store")).unwrap();
    let add = |bytes: &[u8]| unixfs::add_file(bytes, Layout { chunk_bytes: 16, ..Layout::KUBO }, &mut &store).unwrap();
    let named = |name: &str, bytes: &[u8]| (name.to_owned(), add(bytes));
    let frame = named("0000.png", b"a picture");
    let files = ["film.mp4", "poster.png", "recipe.json", "trajectory.bin"];
    let mut entries: Vec<_> =
        files.iter().map(|name| named(name, format!("bytes of {name}, in chunks").as_bytes())).collect();
    entries.push(("frames".to_owned(), unixfs::add_folder(vec![frame], Layout::KUBO, &mut &store).unwrap()));
    let root = unixfs::add_folder(entries, Layout::KUBO, &mut &store).unwrap().cid;
    let mut archive = Vec::new();
    car::export(&store, &[root], &mut archive).unwrap();
    let raw = store.put_raw(b"alone").unwrap();
    let mut two = Vec::new();
    car::export(&store, &[root, raw], &mut two).unwrap();
    let whole = |bytes: &[u8]| [&[0], bytes].concat();
    let mut wrong = archive.clone();
    *wrong.last_mut().unwrap() ^= 1;
    let header = 1 + usize::from(archive[0]);
    let list = [
        ("valid-bundle", whole(&archive)),
        ("valid-two-roots", whole(&two)),
        ("valid-plan", b"\x01\x00\x03abc\x00\x04defg\x03\x00\x02\x02xy".to_vec()),
        ("valid-node", b"\x01\x01\x04\x0a\x02\x08\x01".to_vec()),
        ("near-wrong-block", whole(&wrong)),
        ("near-cut", whole(&archive[..archive.len() - 5])),
        ("near-cut-length", whole(&[&archive[..], &[0x80]].concat())),
        ("near-stray", whole(&[&archive[..], &two[two.len() - 42..]].concat())),
        ("near-header", whole(b"\xff\xff\x7f\xa2eroots")),
        ("near-length", whole(&[&archive[..header], &[0xff; 9][..], &[1]].concat())),
        ("near-nested", whole(&[&[0xe0, 0x1f], &[0x81; 4064][..]].concat())),
    ];
    seeds.extend(list.map(|(name, bytes)| (format!("car/{name}"), bytes)));
}

fn metadata(seeds: &mut Seeds) {
    let metadata = Metadata {
        name: "Tempest 7".into(),
        description: "A storm. «Pearl», dusk.\n".into(),
        external_url: Some("https://example.org/7".into()),
        traits: vec![
            Trait {
                name: "Motion".into(),
                value: TraitValue::Text("duel".into()),
                display: None,
                rarity: Rarity::Drawn(0.18),
            },
            Trait {
                name: "Energy".into(),
                value: TraitValue::Number(1.031),
                display: Some(DisplayType::Number),
                rarity: Rarity::Overridden,
            },
        ],
        engine: "seedstorm/2".into(),
        recipe: raw_cid(b"recipe"),
        world_id: raw_cid(b"world"),
        sim_root: [7; 32],
        renderer: "cpu".into(),
        bundle: cid_of(DAG_PB, b"bundle"),
    };
    let text = String::from_utf8(metadata.to_json().unwrap()).unwrap();
    let near = |from: &str, to: &str| {
        let changed = text.replace(from, to);
        assert_ne!(changed, text);
        changed.into_bytes()
    };
    let list = [
        ("valid", text.clone().into_bytes()),
        ("near-space", near("\"attributes\"", " \"attributes\"")),
        ("near-number", near("1.031", "1.0310")),
        ("near-huge", near("1.031", "1e308")),
        ("near-link", near("poster.png", "../poster.png")),
        ("near-both", near("\"overridden\":true", "\"overridden\":true,\"rarity\":1")),
        ("near-field", near("\"name\"", "\"owner\":\"me\",\"name\"")),
    ];
    seeds.extend(list.map(|(name, bytes)| (format!("metadata/{name}"), bytes)));
}

fn keys(seeds: &mut Seeds) {
    // A key of geth's own tests, with an empty password.
    let text = concat!(
        r#"{"address":"45dea0fb0bba44f4fcf290bba71fd57d7117cbb8","crypto":{"cipher":"aes-128-ctr","#,
        r#""ciphertext":"b87781948a1befd247bff51ef4063f716cf6c2d3481163e9a8f42e1f9bb74145","#,
        r#""cipherparams":{"iv":"dc4926b48a105133d2f16b96833abf1e"},"kdf":"scrypt","#,
        r#""kdfparams":{"dklen":32,"n":2,"p":1,"r":8,"#,
        r#""salt":"004244bbdc51cadda545b1cfa43cff9ed2ae88e08c61f1479dbb45410722f8f0"},"#,
        r#""mac":"39990c1684557447940d4c69e06b1b82b2aceacb43f284df65c956daf3046b85"},"#,
        r#""id":"ce541d8d-c79b-40f8-9f8c-20f59616faba","version":3}"#
    );
    let near = |from: &str, to: &str| {
        let changed = text.replace(from, to);
        assert_ne!(changed, text);
        changed.into_bytes()
    };
    let list = [
        ("valid-geth", text.as_bytes().to_vec()),
        ("valid-no-address", near("\"address\":\"45dea0fb0bba44f4fcf290bba71fd57d7117cbb8\",", "")),
        ("valid-capital", near("\"crypto\"", "\"Crypto\"")),
        ("near-other-address", near("45dea0", "45dea1")),
        ("near-memory", near("\"n\":2", "\"n\":1099511627776")),
        ("near-rounds", near("\"p\":1", "\"p\":4294967295")),
        ("near-blocks", near("\"r\":8", "\"r\":0")),
        ("near-salt", near("004244", "00424")),
        ("near-cipher", near("aes-128-ctr", "aes-128-cbc")),
    ];
    seeds.extend(list.map(|(name, bytes)| (format!("keystore/{name}"), bytes)));
}

fn chains(seeds: &mut Seeds) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("chain.bin");
    let chain = EmbeddedChain::open(&path).unwrap();
    let key = PrivateKeySigner::from_slice(&[1; 32]).unwrap();
    chain.fund(key.address()).unwrap();
    let funded = fs::read(&path).unwrap();
    let provider = chain.provider(key.clone());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let new = seedstorm_mint::NewCollection {
        name: "S".into(),
        symbol: "S".into(),
        creator: key.address(),
        contract_uri: String::new(),
        royalty_bps: 0,
    };
    runtime.block_on(seedstorm_mint::Collection::deploy(provider, new)).unwrap();
    let deployed = fs::read(&path).unwrap();
    let whole = |bytes: &[u8]| [&[0], bytes].concat();
    let body = |bytes: &[u8]| {
        let end = bytes.iter().position(|byte| *byte == b'\n').unwrap();
        [&[1], &bytes[end + 1..]].concat()
    };
    let text = String::from_utf8(body(&funded)).unwrap();
    let near = |from: &str, to: &str| {
        let changed = text.replace(from, to);
        assert_ne!(changed, text);
        changed.into_bytes()
    };
    let list = [
        ("valid-file", whole(&funded)),
        ("valid-funded", body(&funded)),
        ("valid-collection", body(&deployed)),
        ("near-version", whole(&[b"seedstorm-chain 2", &funded[17..]].concat())),
        ("near-cut", whole(&funded[..funded.len() - 1])),
        ("near-no-block", b"\x01{\"blocks\":[],\"accounts\":{},\"code\":{}}".to_vec()),
        ("near-gas", near("0x1c9c380", "0x0")),
        ("near-number", near("\"number\":\"0x0\"", "\"number\":\"0xffffffffffffffff\"")),
    ];
    seeds.extend(list.map(|(name, bytes)| (format!("chain/{name}"), bytes)));
}

#[test]
fn every_committed_input_holds() {
    for (target, check) in CHECKS {
        let mut count = 0;
        for entry in fs::read_dir(corpus().join(target)).unwrap() {
            let path = entry.unwrap().path();
            // Shown where the check panics.
            println!("{}", path.display());
            check(&fs::read(path).unwrap());
            count += 1;
        }
        assert!(count > 3, "{target} has seeds");
    }
}

#[test]
fn the_committed_seeds_are_those_that_are_made_here() {
    let made = seeds();
    for (name, bytes) in &made {
        let there = fs::read(corpus().join(name)).unwrap_or_else(|error| panic!("fuzz/corpus/{name}: {error}"));
        assert!(there == *bytes, "fuzz/corpus/{name} is not what this test makes: write the seeds again (see above)");
    }
    for (target, _) in CHECKS {
        for entry in fs::read_dir(corpus().join(target)).unwrap() {
            let name = format!("{target}/{}", entry.unwrap().file_name().into_string().unwrap());
            assert!(made.contains_key(&name) || name.contains("/found-"), "fuzz/corpus/{name}: made by nobody");
        }
    }
}

#[test]
#[ignore = "writes fuzz/corpus"]
fn write_the_seeds() {
    for (name, bytes) in seeds() {
        let path = corpus().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
}
