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
    ("bloom@1", 1, SMALL_FLOWER, "", ""),
    ("bloom@1", 2, SMALL_HINGED, "", ""),
    ("tempest@1", 3, SMALL_MAELSTROM, "", ""),
    ("tempest@1", 4, SMALL_TIDES, "", ""),
    ("tempest@1", 5, SMALL_CROWN, "", ""),
    ("tempest@1", 6, SMALL_DUEL, "", ""),
    ("tempest@1", 7, SMALL_HEARTBEAT, "", ""),
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
