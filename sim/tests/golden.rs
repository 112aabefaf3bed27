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

#[rustfmt::skip]
const GOLDEN: &[Row] = &[
    ("bloom@1", 1, SMALL_FLOWER,
        "a72f3a27ca57c76e3a965cd1138f5fa7b3246bb6917e5ba20008e0e58d098be1", "0add62ab7f59ad09ff01edd12803a4235c44ab11cc6bd9e65b94763e11c29095"),
    ("bloom@1", 2, SMALL_HINGED,
        "a4a6f7d4f54a2f7bc3dbdaba690f7a8fef30d183c05b8dd5431d409c8047b0f4", "46c6b77dec8b58050bc80b15e1e8582038c820d4e63da605719917cfae99079d"),
    ("tempest@1", 3, SMALL_MAELSTROM,
        "4d1b5c1c24a859c3eaad703f903b43f19c8a1cca08fbdc0dcef3fcd462f85593", "c8e857f3e24a3064e34e96ca9ff08974fa307f0460b98b1b37e71a44b5b0f2d1"),
    ("tempest@1", 4, SMALL_TIDES,
        "c3bc0f1ae97cdb45f7911d1c0f16ff21b5d334ec9a5fae5d9d5953b0d8db9255", "37e32e110a478a228afea909d723b11d0b736977dff7f1cc44c7eef65cbca937"),
    ("tempest@1", 5, SMALL_CROWN,
        "50d7152ec399be75d546f24c7f95115005f9972bfba8e190c4bfd6e8622ed5c2", "3b0bdc5b59a0eafe023a0f42db72ac65a9b24663b0d9df6d29fd7f1999a0fa01"),
    ("tempest@1", 6, SMALL_DUEL,
        "6c89509da3eca24a19d5afe70428c39c390c7b9b8a9b2d70eced4ba6d2928e00", "1cfc36d5d1e7aad41e40d2f9e8d9150de1db1c2411142a66aa326b1752ca4cb7"),
    ("tempest@1", 7, SMALL_HEARTBEAT,
        "d5882f407efd606773d7671fb856b416de78b872085cfa30204bf62b6057bfcb", "1ee6339792c1f1835d202bce15f8eebe4027e277356781f9d938612956eb9c6b"),
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
