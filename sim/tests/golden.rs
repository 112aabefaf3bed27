//! Golden digests: a world is a pure function of its recipe, on every machine.
//!
//! Each row of `golden.json` pins the `sim_root` of a small world of one scenario: the Merkle root over *all* of its state
//! at every checkpoint, and with it the digest of its trajectory. The rows hold in debug and release builds, for any number
//! of threads, for the WGSL kernels with and without 64-bit integers, and under wasm32 in Node and in a browser (`sim/wasm`). They were made on
//! x86-64 and are meant to hold on every machine. Run them elsewhere with
//!
//! ```text
//! cargo test -p seedstorm-sim --no-default-features --test golden            # debug
//! cargo test -p seedstorm-sim --no-default-features --test golden --release
//! ```
//!
//! When a row fails, either a dependency or a compiler changed the bits (a float function that is not IEEE-exact,
//! an order that depends on threads or hashing, another version of rapier), which is a bug to be found; or the engine
//! was changed on purpose: then its version goes up, in a commit that says why, and the file is printed again by
//! `SEEDSTORM_GOLDEN=print cargo test -p seedstorm-sim --no-default-features --test golden --release -- --nocapture`.
//! A new row is written with empty digests first.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::collections::BTreeMap;

use seedstorm_sim::{Backend, Film, Recipe, recipe::ParamValue, scenario, simulate};

/// A row of the table, which `sim/wasm/run.mjs` reads as well.
#[derive(serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    scenario: String,
    seed: u64,
    params: BTreeMap<String, ParamValue>,
    sim_root: String,
    /// BLAKE3 of the trajectory.
    trajectory: String,
}

fn rows() -> Vec<Row> {
    serde_json::from_str(include_str!("golden.json")).unwrap()
}

fn digests(row: &Row) -> (String, String) {
    digests_on(row, Backend::Cpu)
}

/// On a backend, which has to be the one that runs it: nothing else would be compared.
fn digests_on(row: &Row, backend: Backend) -> (String, String) {
    let mut recipe = Recipe::new(&row.scenario, row.seed.into(), Film::DRAFT).unwrap();
    recipe.params.clone_from(&row.params);
    let run = simulate(&recipe, backend, &mut |_, _| true).unwrap();
    assert_eq!(run.backend == "cpu", backend == Backend::Cpu, "{} ran on {}", row.scenario, run.backend);
    (run.sim_root.to_string(), blake3::hash(run.trajectory.as_bytes()).to_string())
}

fn in_pool<T: Send>(threads: usize, work: impl FnOnce() -> T + Send) -> T {
    rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap().install(work)
}

#[test]
fn worlds_are_what_they_were() {
    let print = std::env::var_os("SEEDSTORM_GOLDEN").is_some();
    let mut rows = rows();
    for row in &mut rows {
        let found = in_pool(2, || digests(row));
        if print {
            (row.sim_root, row.trajectory) = found;
            continue;
        }
        let expected = (row.sim_root.clone(), row.trajectory.clone());
        assert_eq!(found, expected, "{} with seed {}: see this file's header", row.scenario, row.seed);
    }
    if print {
        println!("{}", serde_json::to_string_pretty(&rows).unwrap());
    }
}

#[test]
fn every_scenario_has_a_row() {
    let rows = rows();
    for scenario in scenario::all() {
        let id = format!("{}@{}", scenario.name(), scenario.version());
        assert!(rows.iter().any(|row| row.scenario == id), "{id} has no row in golden.json");
    }
}

#[test]
fn threads_change_nothing() {
    for row in rows() {
        for threads in [1, 8] {
            let found = in_pool(threads, || digests(&row));
            assert_eq!(found, (row.sim_root.clone(), row.trajectory.clone()), "{}, {threads} threads", row.scenario);
        }
    }
}

/// Every row that has a kernel, on whatever adapter there is: Mesa's software one, where the checks run.
#[cfg(feature = "gpu")]
#[test]
fn kernels_on_a_device_make_the_same_worlds() {
    if let Err(error) = seedstorm_sim::gpu::Gpu::open(seedstorm_sim::gpu::Products::Auto) {
        assert!(std::env::var_os("SEEDSTORM_REQUIRE_GPU").is_none(), "no adapter: {error}");
        eprintln!("not compared: {error}");
        return;
    }
    for row in rows().iter().filter(|row| !row.scenario.starts_with("bloom@")) {
        for backend in [Backend::Gpu, Backend::GpuSplit] {
            let start = std::time::Instant::now();
            let found = digests_on(row, backend);
            eprintln!("{} {} {backend:?}: {:.1} s", row.scenario, row.seed, start.elapsed().as_secs_f32());
            assert_eq!(found, (row.sim_root.clone(), row.trajectory.clone()), "{}, {backend:?}", row.scenario);
        }
    }
}
