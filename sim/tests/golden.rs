//! Golden digests: a world is a pure function of its recipe, on every machine.
//!
//! Each row pins the `sim_root` of a small world of one scenario: the Merkle root over *all* of its state at every
//! checkpoint, and with it the digest of its trajectory. The rows hold in debug and release builds, for any number of
//! threads, and for the WGSL kernels (`twins.rs`). They were made on x86-64 and are meant to hold on every machine. Run
//! them elsewhere with
//!
//! ```text
//! cargo test -p seedstorm-sim --no-default-features --test golden            # debug
//! cargo test -p seedstorm-sim --no-default-features --test golden --release
//! ```
//!
//! When a row fails, either a dependency or a compiler changed the bits (a float function that is not IEEE-exact,
//! an order that depends on threads or hashing, another version of rapier), which is a bug to be found; or the engine
//! was changed on purpose: then its version goes up, in a commit that says why, and the rows are made again with
//! `SEEDSTORM_GOLDEN=print cargo test -p seedstorm-sim --no-default-features --test golden --release -- --nocapture`.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use seedstorm_sim::{Backend, Film, Recipe, Seed, recipe::ParamValue, simulate};

/// Scenario, seed, overrides, `sim_root`, BLAKE3 of the trajectory.
type Row = (&'static str, u64, &'static [(&'static str, Value)], &'static str, &'static str);

#[derive(Clone, Copy)]
enum Value {
    Number(f64),
    Text(&'static str),
}
use Value::{Number, Text};

const SMALL_FLOWER: &[(&str, Value)] =
    &[("arms", Number(14.0)), ("rings", Number(9.0)), ("form", Text("spiral")), ("footing", Text("free"))];
const SMALL_HINGED: &[(&str, Value)] =
    &[("arms", Number(12.0)), ("rings", Number(8.0)), ("form", Text("galaxy")), ("footing", Text("hinged"))];
const SMALL_MAELSTROM: &[(&str, Value)] = &[("detail", Number(4.0)), ("motion", Text("maelstrom"))];
const SMALL_TIDES: &[(&str, Value)] = &[("detail", Number(4.0)), ("motion", Text("tides"))];
const SMALL_CROWN: &[(&str, Value)] = &[("detail", Number(4.0)), ("motion", Text("crown"))];
const SMALL_DUEL: &[(&str, Value)] = &[("detail", Number(4.0)), ("motion", Text("duel"))];
const SMALL_HEARTBEAT: &[(&str, Value)] = &[("detail", Number(4.0)), ("motion", Text("heartbeat"))];
const SMALL_EMBRACE: &[(&str, Value)] =
    &[("points", Number(4096.0)), ("bars", Number(12.0)), ("encounter", Text("embrace"))];
const SMALL_CARTWHEEL: &[(&str, Value)] =
    &[("points", Number(4096.0)), ("bars", Number(12.0)), ("encounter", Text("cartwheel"))];
const SMALL_RIBBONS: &[(&str, Value)] =
    &[("points", Number(4096.0)), ("bars", Number(12.0)), ("encounter", Text("ribbons"))];

#[rustfmt::skip]
const GOLDEN: &[Row] = &[
    ("bloom@1", 1, SMALL_FLOWER,
        "8854cf0bd74f72ee0ebd279b09b479b000dbd12b362858d78aa8094920a9cab7", "88aba6714038d49fd8178d2a178f09f6231c2efff57dcc93ee02f7002e1bcbb5"),
    ("bloom@1", 2, SMALL_HINGED,
        "4070aadc6e4520b5776d644f0e14c7d9bcc68611b5fcd77f58829c01b47d2317", "88cbcadc38705148b759656a395269ed9a89ba76a50351aaa51dbea884302013"),
    ("tempest@1", 3, SMALL_MAELSTROM,
        "3ed03ffc48af9edb1134f4e4282c61b83f149ef0884ee73c71f38b6f15435821", "efd298d5d29c31b5884c9f49b0d9556b6ecf299dc5eb32ce5f4e0eccb97cefe2"),
    ("tempest@1", 4, SMALL_TIDES,
        "3ef259de24d4add5648999694e17a640c735f713061421165bfc8c67d19f58da", "0a6e1f4b0ad9c001a68b68ba2bf77f39c4c3f00a9ecd25129f448b37497eb199"),
    ("tempest@1", 5, SMALL_CROWN,
        "bd2e670b33d346367301db113a3b8b712f80c2ffb38aeb48563b5b40a5a7345a", "3642b1f186b8d26131c159c01437ba18a4452bd14d78bb0ae005ba8470884834"),
    ("tempest@1", 6, SMALL_DUEL,
        "79c6bd99c3258892849a3d3011c3313a22f10ec3a2e7b378c69f78fc269b2551", "2532da77ea40e8bfc76dcac72cc991361452937cc0892713a26bf6090cb1e22a"),
    ("tempest@1", 7, SMALL_HEARTBEAT,
        "c5542909a3df57df3171790ab180025fdad66c6f20184f5073dabb8c9e490f85", "a8ab396f8b4c5855c3c0e0d5004c4db9bda0e9be175c9b78d9c82176a9478556"),
    ("waltz@1", 8, SMALL_EMBRACE,
        "f049ab10a0e900257e1c6e3a4cc102c50cba1fdf77c3e807d65e8deb4537002d", "4816f6d34543e5b72b5e7a2628adb5fb3cd00717158627e071c83da30c4ceb00"),
    ("waltz@1", 9, SMALL_CARTWHEEL,
        "76464ce1b57668dde8101c297d2b0ba7e239fd41103c542fa084e613bd12d243", "0577872f219a34823df7cd238acd9bb7620f6958617e2c75fcc2e8b607ff32a6"),
    ("waltz@1", 10, SMALL_RIBBONS,
        "f05da39f38793527ad9087019f178a55faf44097c98a12d4a08f6833aa47c94d", "c134e9d93d86f19fa3c684bc229813a2dad9b0f91033574734e13ad008346898"),
];

fn recipe(row: &Row) -> Recipe {
    let mut recipe = Recipe::new(row.0, Seed::from(row.1), Film::DRAFT).unwrap();
    for (name, value) in row.2 {
        let value = match value {
            Number(number) => ParamValue::Number(*number),
            Text(text) => ParamValue::Text((*text).into()),
        };
        recipe.params.insert((*name).into(), value);
    }
    recipe
}

fn digests(row: &Row) -> (String, String) {
    let run = simulate(&recipe(row), Backend::Cpu, &mut |_, _| true).unwrap();
    (run.sim_root.to_string(), blake3::hash(run.trajectory.as_bytes()).to_string())
}

fn in_pool<T: Send>(threads: usize, work: impl FnOnce() -> T + Send) -> T {
    rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap().install(work)
}

#[test]
fn worlds_are_what_they_were() {
    for row in GOLDEN {
        let found = in_pool(2, || digests(row));
        if std::env::var_os("SEEDSTORM_GOLDEN").is_some() {
            println!("{} {}: {:?}, {:?}", row.0, row.1, found.0, found.1);
            continue;
        }
        assert_eq!(found, (row.3.into(), row.4.into()), "{} with seed {}: see this file's header", row.0, row.1);
    }
}

#[test]
fn threads_change_nothing() {
    for row in [&GOLDEN[0], &GOLDEN[3], &GOLDEN[7]] {
        let one = in_pool(1, || digests(row));
        for threads in [2, 3] {
            assert_eq!(in_pool(threads, || digests(row)), one, "{} with {threads} threads", row.0);
        }
    }
}
