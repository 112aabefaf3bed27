//! What has to hold for any bytes, one function a parser: a panic here is a finding.
//!
//! `studio/tests/fuzz_corpus.rs` includes this file too and runs it over the committed corpus, so that what was found
//! once is tested without libFuzzer. Where a digest guards the bytes behind it, the first byte of an input says whether
//! they are taken as they stand or under a digest that is right, since no mutation would ever find one.

use std::{
    fs,
    path::Path,
    sync::{LazyLock, Mutex, OnceLock, PoisonError},
};

use seedstorm_mint::{
    Archived, Cid, EmbeddedChain, Metadata, Store,
    block::{self, DAG_PB, RAW},
    car, keystore,
    metadata::MAX_METADATA_BYTES,
    unixfs::{self, Kind, Link, Node},
};
use seedstorm_sim::{
    Backend, Film, Player, Recipe, Seed, SimError, Simulation, Trajectory,
    recipe::{MAX_RECIPE_BYTES, MAX_SCENE_RECIPE_BYTES, ParamValue},
    resolve,
    scenario::{
        Scenario as _,
        authored::{Authored, Document, Folder, Layout, MAX_BODIES, MAX_PARTICLES, import},
    },
    world::{Seal, World},
};

/// A folder in memory where there is one: most checks write files.
fn folder() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    let made = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
    made.expect("a temporary folder")
}

/// A recipe that is read has one canonical form and one id, and reads back bit for bit.
pub fn recipe(data: &[u8]) {
    let Ok(recipe) = Recipe::from_json(data) else { return };
    assert!(data.len() <= if recipe.scene.is_some() { MAX_SCENE_RECIPE_BYTES } else { MAX_RECIPE_BYTES });
    let canonical = recipe.canonical();
    let again = Recipe::from_json(&canonical).expect("the canonical form is a recipe");
    assert_eq!(again, recipe);
    assert_eq!(again.canonical(), canonical);
    assert_eq!((again.cid(), again.world_id()), (recipe.cid(), recipe.world_id()));
    for (name, value) in &recipe.params {
        // Equal numbers are not enough: −0 equals 0, and a world could tell them apart.
        if let (ParamValue::Number(a), ParamValue::Number(b)) = (value, &again.params[name]) {
            assert_eq!(a.to_bits(), b.to_bits(), "{name}");
            assert!(a.is_finite());
        }
    }
    let (first, second) = (resolve(&recipe), resolve(&again));
    assert_eq!(first.is_ok(), second.is_ok());
    if let (Ok((_, genome)), Ok((_, same))) = (first, second) {
        assert_eq!(genome, same);
        assert!(genome.params.iter().all(|param| param.value.is_finite()));
    }
}

/// A scene that is read has one canonical form, and makes the same sense as a recipe carries it; where it makes sense, every
/// seed can be laid out within the bounds that were stated, and stepped where there is little of it.
///
/// First byte 0: the rest is a scene file; 1: it is a mesh that a scene names; else: it is a scene as a recipe carries it.
pub fn scene(data: &[u8]) {
    let Some((mode, rest)) = data.split_first() else { return };
    let document = match mode {
        0 => import(&String::from_utf8_lossy(rest), &mut OneFile(b"{}")),
        1 => import(SCENE_WITH_MESH, &mut OneFile(rest)),
        _ => match serde_json::from_slice(rest) {
            Ok(document) => Ok(document),
            Err(_) => return,
        },
    };
    let document = match document {
        Ok(document) => document,
        Err(error) => {
            assert!(!error.reason.is_empty() && !error.help.is_empty());
            return;
        }
    };
    let canonical = document.canonical();
    let again: Document = serde_json::from_slice(&canonical).expect("the canonical form is a document");
    assert!(again == document && again.canonical() == canonical);
    let (Ok(scene), Ok(same)) = (Authored::new(&document), Authored::new(&again)) else {
        assert!(Authored::new(&document).is_err() && Authored::new(&again).is_err());
        return;
    };
    let blueprint = scene.blueprint();
    let [fewest, most] = blueprint.bodies();
    assert!(most <= MAX_BODIES && blueprint.most_particles() <= MAX_PARTICLES);
    for seed in 0..2 {
        let genome = blueprint.genome(&Seed::from(seed), &Default::default()).expect("no override is wrong");
        let layout = Layout::new(blueprint, &genome);
        assert!((fewest..=most).contains(&layout.bodies.len()));
        assert!(layout.particles.len() <= blueprint.most_particles());
        let numbers = layout.bodies.iter().flat_map(|body| [body.position, body.velocity, body.spin]);
        assert!(numbers.flatten().all(f32::is_finite));
        assert_eq!(layout.bodies, Layout::new(same.blueprint(), &genome).bodies);
        if layout.bodies.len() <= 8 && layout.particles.is_empty() {
            let mut world = scene.world(&genome, Backend::Cpu).expect("a world");
            if world.advance(2).is_ok() {
                let state = world.checkpoint().expect("it has a state");
                world.restore(&state).expect("it goes on from its own state");
                assert_eq!(world.checkpoint().expect("it has a state"), state);
            }
        }
    }
}

/// A folder with one file, whatever it is called.
struct OneFile<'a>(&'a [u8]);

impl Folder for OneFile<'_> {
    fn read(&mut self, _: &str, most: usize) -> Result<Vec<u8>, String> {
        if self.0.len() > most { Err("is too large".into()) } else { Ok(self.0.to_vec()) }
    }
}

/// A scene with the mesh `a.glb`.
pub const SCENE_WITH_MESH: &str = r#"
scene = 1
title = "Fuzz"
about = "One body falls"
time = { duration = 0.5 }
meshes.a = { file = "a.glb" }
bodies = [{ shape = { mesh = "a" }, position = [0, 1, 0], look = "a" }]
looks.a = { material = "lacquer", color = 0 }
look = { palette = "ember", light = "noir", subject = [0, 0, 0], radius = 1, camera = { keys = [{ at = 0, eye = [0, 0, 5], target = [0, 0, 0] }] } }
"#;

/// A trajectory that is read can be read at every snapshot and every time, or says that it is damaged.
///
/// First byte 0: the rest is the file; else: the rest is the file without its digest.
pub fn trajectory(data: &[u8]) {
    let Some((mode, rest)) = data.split_first() else { return };
    let mut bytes = rest.to_vec();
    if *mode != 0 {
        bytes.extend(blake3::hash(rest).as_bytes());
        seal_chunks(&mut bytes);
    }
    let Ok(trajectory) = Trajectory::from_bytes(bytes.clone()) else { return };
    assert_eq!(trajectory.as_bytes(), bytes);
    assert_eq!(trajectory.chunks(), trajectory.snapshots().div_ceil(8));
    let values = trajectory.elements() * trajectory.channels();
    let mut whole = true;
    let mut seen = 0;
    // Enough to meet every branch; the rest of a long one is more of the same.
    for chunk in 0..trajectory.chunks().min(4) {
        match trajectory.chunk(chunk) {
            Ok(snapshots) => {
                assert!(snapshots.iter().all(|snapshot| snapshot.len() == values));
                seen += snapshots.len();
            }
            Err(_) => whole = false,
        }
    }
    if whole && trajectory.chunks() <= 4 {
        assert_eq!(seen, trajectory.snapshots());
    }
    for index in 0..trajectory.snapshots().min(3) {
        let _ = trajectory.snapshot(index);
    }
    let mut player = Player::new(&trajectory);
    for time in [0.0, 0.3, 1.0, -1.0, f64::NAN, f64::INFINITY] {
        match player.at(time) {
            Ok((values_at, rates)) => assert!(values_at.len() == values && rates.len() == values),
            Err(_) => assert!(!whole || trajectory.snapshots() == 0 || trajectory.chunks() > 4),
        }
    }
    let _ = trajectory.sim_root();
}

/// Puts the right digest beside each chunk that an index names, and at the end.
fn seal_chunks(bytes: &mut [u8]) {
    let Some(body) = bytes.len().checked_sub(36) else { return };
    let word = |bytes: &[u8], at: usize| {
        bytes.get(at..at + 4).map_or(0, |four| u32::from_le_bytes(four.try_into().expect("four bytes")) as usize)
    };
    let Some(start) = body.checked_sub(word(bytes, body)) else { return };
    let (chunks, mut at, mut offset) = (word(bytes, start + 16), start + 24, 8_usize);
    for _ in 0..chunks.min(64) {
        let length = word(bytes, at + 8);
        let (Some(chunk), true) = (bytes.get(offset..offset.saturating_add(length)), at + 44 <= body) else { break };
        let digest = *blake3::hash(chunk).as_bytes();
        bytes[at + 12..at + 44].copy_from_slice(&digest);
        (at, offset) = (at + 44, offset + length);
    }
    let digest = *blake3::hash(&bytes[..body + 4]).as_bytes();
    bytes[body + 4..].copy_from_slice(&digest);
}

struct Saved {
    recipe: Recipe,
    /// A save some steps in, sealed with [`SEAL`].
    save: Vec<u8>,
    /// The world's own state there.
    state: Vec<u8>,
    /// A world that states can be put into: to make one takes longer than to try a state.
    world: Mutex<Box<dyn World>>,
}

const SEAL: Seal = Seal([7; 32]);

/// A small world of each scenario.
static SAVED: LazyLock<Vec<Saved>> = LazyLock::new(|| {
    let worlds: [(&str, &[(&str, f64)]); 2] =
        [("bloom@1", &[("arms", 5.0), ("rings", 2.0)]), ("tempest@1", &[("detail", 4.0)])];
    let saved = worlds.iter().map(|(scenario, params)| {
        let mut recipe = Recipe::new(scenario, 21.into(), Film::DRAFT).expect("a recipe");
        recipe.params = params.iter().map(|(name, x)| ((*name).to_owned(), ParamValue::Number(*x))).collect();
        let mut simulation = Simulation::new(&recipe, Backend::Cpu).expect("a world");
        while simulation.step() == 0 || !simulation.can_be_saved() {
            simulation.advance().expect("it can be stepped");
        }
        let save = simulation.save(&SEAL).expect("it can be saved");
        let state = simulation.checkpoint().expect("it has a state");
        let (scenario, genome) = resolve(&recipe).expect("it names a scenario");
        let world = Mutex::new(scenario.world(&genome, Backend::Cpu).expect("a world"));
        Saved { recipe, save, state, world }
    });
    saved.collect()
});

/// What was saved of a simulation is gone on with only under its seal; under it, an integer world's state may be as
/// absurd as can be. A rigid world's is read, and stepped only where it is the right one: nothing but the seal can tell
/// whether the engine's own indices are sound.
///
/// First byte: bit 0 chooses the world, bits 1 and 2 how the rest is meant. 0: as the file. 1: as what is sealed. 2: as
/// changes of a save that is sealed again, each an offset of three bytes, a length and so many bytes. 3: as such changes
/// of the state alone, with offsets in words, put into a world as it is.
pub fn checkpoint(data: &[u8]) {
    let Some((mode, rest)) = data.split_first() else { return };
    let saved = &SAVED[usize::from(mode & 1)];
    let is_rigid = mode & 1 == 0;
    match mode >> 1 & 3 {
        0 => resume(saved, is_rigid, rest),
        1 => resume(saved, is_rigid, &SEAL.apply(rest)),
        2 => resume(saved, is_rigid, &SEAL.apply(&changed(&saved.save[Seal::HEAD..], rest, 1))),
        _ => restore(saved, is_rigid, &changed(&saved.state, rest, 4)),
    }
}

fn changed(bytes: &[u8], mut changes: &[u8], unit: usize) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    while let Some(([a, b, c, length], after)) = changes.split_first_chunk::<4>() {
        let (change, after) = after.split_at(usize::from(*length).min(after.len()));
        let at = u32::from_le_bytes([*a, *b, *c, 0]) as usize * unit % bytes.len();
        let end = (at + change.len()).min(bytes.len());
        bytes[at..end].copy_from_slice(&change[..end - at]);
        changes = after;
    }
    bytes
}

fn resume(saved: &Saved, is_rigid: bool, bytes: &[u8]) {
    let Saved { recipe, save, .. } = saved;
    let other = Simulation::resume(recipe, Backend::Cpu, bytes, &Seal([8; 32]));
    assert!(matches!(other, Err(SimError::Saved(_))), "a save of another home");
    let mut simulation = match Simulation::resume(recipe, Backend::Cpu, bytes, &SEAL) {
        Ok(simulation) => simulation,
        Err(SimError::Saved(_) | SimError::Trajectory(_)) => return,
        Err(error) => panic!("another reason than the save: {error}"),
    };
    assert!(simulation.step() <= simulation.steps());
    if is_rigid && bytes != save {
        return;
    }
    let again = simulation.save(&SEAL).expect("what was read can be written");
    let same = Simulation::resume(recipe, Backend::Cpu, &again, &SEAL).expect("what was written can be read");
    assert_eq!(same.step(), simulation.step());
    let _ = may_fail(simulation.advance());
}

fn restore(saved: &Saved, is_rigid: bool, state: &[u8]) {
    let mut world = saved.world.lock().unwrap_or_else(PoisonError::into_inner);
    match world.restore(state) {
        Ok(()) => {}
        Err(SimError::Saved(_)) => return,
        Err(error) => panic!("another reason than the state: {error}"),
    }
    if is_rigid && state != saved.state {
        return;
    }
    assert!(world.checkpoint().expect("a state") == state, "a state has one form");
    if may_fail(world.advance(2)) {
        world.snapshot().expect("a snapshot");
    }
}

/// Whether a step went well; for an absurd state it may not, in these ways.
fn may_fail<T>(stepped: Result<T, SimError>) -> bool {
    match stepped {
        Ok(_) => true,
        Err(SimError::Kernel(_) | SimError::Saved(_)) => false,
        Err(error) => panic!("a state that was taken fails otherwise: {error}"),
    }
}

/// An archive is taken whole or leaves the store as it was; what was taken goes out and in again unchanged.
///
/// First byte 0: the rest is the file. Else it is a list of blocks, with CIDs that are right: a kind (0 raw, 1 node as it
/// stands, 2 folder of all blocks so far, 3 file of them), a length and so many bytes; the last block is the root.
pub fn car(data: &[u8]) {
    const MOST: u64 = 1 << 20;
    let Some((mode, rest)) = data.split_first() else { return };
    let archive = if *mode == 0 { rest.to_vec() } else { archive_of(rest) };
    let home = folder();
    let store = Store::open(home.path().join("store")).expect("a store");
    let car = match car::import(&store, &archive[..], MOST) {
        Ok(car) => car,
        Err(_) => {
            let left: usize = ["blocks", "pins"].map(|part| entries(&store.folder().join(part))).iter().sum();
            assert_eq!(left, 0, "an archive that is refused leaves nothing");
            // `blocks`, `pins` and `lock`.
            assert_eq!(entries(store.folder()), 3, "and no scratch");
            return;
        }
    };
    assert!(!car.roots.is_empty() && car.roots.len() <= car::MAX_ROOTS && car.block_bytes <= MOST);
    let _ = Archived::recognise(&store, &car.roots);
    for root in &car.roots {
        assert!(!store.reachable(root).expect("every root is whole").is_empty());
        let _ = unixfs::read_file(&store, root, MOST);
        let _ = unixfs::entries(&store, root);
    }
    let mut out = Vec::new();
    let exported = car::export(&store, &car.roots, &mut out).expect("what was taken can be given");
    assert!(exported.blocks <= car.blocks && exported.roots == car.roots);
    let other = Store::open(home.path().join("other")).expect("a store");
    assert_eq!(car::import(&other, &out[..], MOST).expect("and taken again"), exported);
    let mut again = Vec::new();
    car::export(&other, &car.roots, &mut again).expect("and given again");
    assert!(out == again, "the same roots are the same archive");
}

fn entries(folder: &Path) -> usize {
    fs::read_dir(folder).expect("a folder").count()
}

fn archive_of(mut plan: &[u8]) -> Vec<u8> {
    let mut blocks: Vec<(Cid, Vec<u8>)> = Vec::new();
    while let Some(([kind, length], rest)) = plan.split_first_chunk::<2>() {
        let (bytes, rest) = rest.split_at(usize::from(*length).min(rest.len()));
        plan = rest;
        let name = |index: usize| {
            let chosen = bytes.get(index % bytes.len().max(1)).copied().unwrap_or(b'a' + index as u8 % 26);
            char::from(chosen).to_string()
        };
        let link = |(index, (cid, block)): (usize, &(Cid, Vec<u8>))| Link {
            cid: *cid,
            name: if kind % 4 == 2 { name(index) } else { String::new() },
            total_bytes: block.len() as u64,
        };
        let links: Vec<Link> = blocks.iter().enumerate().map(link).collect();
        let (codec, block) = match kind % 4 {
            0 => (RAW, bytes.to_vec()),
            1 => (DAG_PB, bytes.to_vec()),
            2 => (DAG_PB, Node { kind: Kind::Folder, links }.encode()),
            _ => {
                let part_bytes = links.iter().map(|link| link.total_bytes).collect();
                (DAG_PB, Node { kind: Kind::File { inline: bytes.to_vec(), part_bytes }, links }.encode())
            }
        };
        blocks.push((block::cid_of(codec, &block), block));
    }
    let Some((root, _)) = blocks.last() else { return Vec::new() };
    let mut out = vec![0x3a, 0xa2, 0x65];
    out.extend(b"roots\x81\xd8\x2a\x58\x25\x00");
    out.extend(root.to_bytes());
    out.extend(b"\x67version\x01");
    for (cid, block) in &blocks {
        let mut length = cid.to_bytes().len() + block.len();
        while length >= 0x80 {
            out.push(length as u8 | 0x80);
            length >>= 7;
        }
        out.push(length as u8);
        out.extend(cid.to_bytes());
        out.extend(block);
    }
    out
}

/// A metadata document is read from its one canonical form, and from nothing else.
pub fn metadata(data: &[u8]) {
    let Ok(metadata) = Metadata::from_json(data) else { return };
    assert!(data.len() <= MAX_METADATA_BYTES);
    assert_eq!(metadata.to_json().expect("what was read can be written"), data);
    assert_eq!(metadata.image(), format!("ipfs://{}/poster.png", metadata.bundle));
}

/// A key's file opens with its password alone, and asks for bounded memory and time.
pub fn keystore(data: &[u8]) {
    // The bounds themselves have a test; half a second and a gigabyte an input would only make this slow.
    if asks_for_much(data) {
        return;
    }
    static FOLDER: OnceLock<tempfile::TempDir> = OnceLock::new();
    let path = FOLDER.get_or_init(folder).path().join("key.json");
    fs::write(&path, data).expect("a file");
    let (right, wrong) = (keystore::unlock(&path, "pw"), keystore::unlock(&path, "another"));
    assert!(right.is_err() || wrong.is_err(), "two passwords for one key");
    if let Ok(key) = right {
        assert_eq!(keystore::unlock(&path, "pw").expect("it opened before").address(), key.address());
    }
}

fn asks_for_much(data: &[u8]) -> bool {
    let Ok(value) = serde_json::from_slice::<serde_json::Value>(data) else { return false };
    ["crypto", "Crypto"].iter().any(|name| {
        let kdf = &value[name]["kdfparams"];
        let number = |name: &str| kdf[name].as_u64().unwrap_or(1).max(1);
        let work = number("n").saturating_mul(number("r")).saturating_mul(number("p"));
        work > 1 << 12 && work <= keystore::MAX_SCRYPT_BYTES / 128
    })
}

/// A chain's file is refused, or is a chain that can be gone on with.
///
/// First byte 0: the rest is the file; else: the rest is what follows a header line that is right.
pub fn chain(data: &[u8]) {
    let Some((mode, rest)) = data.split_first() else { return };
    static FOLDER: OnceLock<tempfile::TempDir> = OnceLock::new();
    let path = FOLDER.get_or_init(folder).path().join("chain.bin");
    let bytes = if *mode == 0 { rest.to_vec() } else { with_header(rest) };
    fs::write(&path, &bytes).expect("a file");
    let Ok(chain) = EmbeddedChain::open(&path) else { return };
    let address = seedstorm_mint::Address::repeat_byte(0x5e);
    let before = chain.balance(address).expect("a balance");
    chain.fund(address).expect("a chain that opens goes on");
    let after = chain.balance(address).expect("a balance");
    assert!(after >= before);
    let again = EmbeddedChain::open(&path).expect("what was written can be read");
    assert_eq!(again.balance(address).expect("a balance"), after);
}

fn with_header(body: &[u8]) -> Vec<u8> {
    let digest = block::sha256_digest(&block::raw_cid(body)).expect("sha-256");
    [format!("seedstorm-chain 1 {} {}\n", body.len(), hex::encode(digest)).as_bytes(), body].concat()
}
