//! Golden digests: a world is a pure function of its recipe, on every machine.
//!
//! Each row pins the `sim_root` of a small world of one scenario: the Merkle root over *all* of its state at every
//! checkpoint, and with it the digest of its trajectory. The rows hold in debug and release builds, for any number of
//! threads, on x86-64 and Arm, and for the WGSL kernels (`twins.rs`). Run them elsewhere with
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

#[rustfmt::skip]
const GOLDEN: &[Row] = &[
    ("bloom@1", 1, SMALL_FLOWER,
        "a72f3a27ca57c76e3a965cd1138f5fa7b3246bb6917e5ba20008e0e58d098be1", "89ae107b067fcf39b7658cbaaebd3d32f22ffc7e90d5a459d425f7824654d819"),
    ("bloom@1", 2, SMALL_HINGED,
        "a4a6f7d4f54a2f7bc3dbdaba690f7a8fef30d183c05b8dd5431d409c8047b0f4", "00e554d2bc933f1fe12ba3e218f163e0bcae6bf9a1881b778647e4af72841850"),
    ("tempest@1", 3, SMALL_MAELSTROM,
        "7a61a586fd4b7eb18f06070d08cc57dcf3a39f451d45976afed0bc157f152f48", "6b3c5c624e2d5e3e783dc0b8b156d9ca540bd49d930e04d815de2c2c81872c02"),
    ("tempest@1", 4, SMALL_TIDES,
        "811417f5bdf9d89b51fb66ced7db957b4739f7216965ddeef2d41f7d09783223", "1fac1b13c37c236549bf45a9ee37882324a15c188a6cc7b96880e9c032fc3f72"),
    ("tempest@1", 5, SMALL_CROWN,
        "89b8f5a1084dafc81aab9be68a689028bc83187060f90d5b861f59b131496790", "60981c1a56268a4571aecec48ddd8c8c8bf4b99515d6210be4a8b6e793969f41"),
    ("tempest@1", 6, SMALL_DUEL,
        "6bc57812e13683a7550fd7c899a8d75af2797206db8cb9623d9cf14685bfb17c", "18ea4f81cadde146861ae6257938f61be280e7cc3ba3a49262903b2f12f15bd2"),
    ("tempest@1", 7, SMALL_HEARTBEAT,
        "7b370fd2b868be3e52f427a15ebe2ceab223227e25d8309905edfaac63cca37d", "2d0f87be6cd7b8ce2029d5fc3870e2b5ac10ea62f593023e7fd0b145c0184a3e"),
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
    for row in [&GOLDEN[0], &GOLDEN[3]] {
        let one = in_pool(1, || digests(row));
        for threads in [2, 3] {
            assert_eq!(in_pool(threads, || digests(row)), one, "{} with {threads} threads", row.0);
        }
    }
}
