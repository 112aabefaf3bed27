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
const SMALL_DUEL: &[(&str, Value)] = &[("detail", Number(4.0)), ("motion", Text("duel"))];
const SMALL_CROWN: &[(&str, Value)] = &[("detail", Number(4.0)), ("motion", Text("crown"))];
const SMALL_CHORUS: &[(&str, Value)] = &[("detail", Number(4.0)), ("motion", Text("chorus"))];
const SMALL_WREATH: &[(&str, Value)] = &[("detail", Number(4.0)), ("motion", Text("wreath"))];
const SMALL_URCHIN: &[(&str, Value)] = &[("detail", Number(4.0)), ("motion", Text("urchin"))];
const SMALL_TWIST: &[(&str, Value)] = &[("detail", Number(4.0)), ("motion", Text("twist"))];
const SMALL_EMBRACE: &[(&str, Value)] =
    &[("points", Number(4096.0)), ("bars", Number(3.0)), ("encounter", Text("embrace"))];
const SMALL_CARTWHEEL: &[(&str, Value)] =
    &[("points", Number(4096.0)), ("bars", Number(3.0)), ("encounter", Text("cartwheel"))];
const SMALL_RIBBONS: &[(&str, Value)] =
    &[("points", Number(4096.0)), ("bars", Number(3.0)), ("encounter", Text("ribbons"))];

#[rustfmt::skip]
const GOLDEN: &[Row] = &[
    ("bloom@1", 1, SMALL_FLOWER,
        "8854cf0bd74f72ee0ebd279b09b479b000dbd12b362858d78aa8094920a9cab7", "88aba6714038d49fd8178d2a178f09f6231c2efff57dcc93ee02f7002e1bcbb5"),
    ("bloom@1", 2, SMALL_HINGED,
        "4070aadc6e4520b5776d644f0e14c7d9bcc68611b5fcd77f58829c01b47d2317", "88cbcadc38705148b759656a395269ed9a89ba76a50351aaa51dbea884302013"),
    ("tempest@1", 3, SMALL_DUEL,
        "d1052586bc739d3a6915104b30e3b8157c1079de80f3d333913e479fba3ce506", "46a0d444fb2b814a91d3c4d6e4ede07279c1b35691753222e03a4b7012da2e92"),
    ("tempest@1", 4, SMALL_CROWN,
        "6d78a0dcfc1b95e0468ee7f4822dc18ea90902b70c80f6e0a08e23d6dec70078", "9a139d1f415a3337214779b36eaa2c5538689176dff201d3c8df6861685c2f2d"),
    ("tempest@1", 5, SMALL_CHORUS,
        "939c9b4703ecc07cad7ca4639fc16ad7406b04e81e0116314cb9286ca92e2ee6", "10cfcd0708da5ac92f0f82a334d5e67a826f6365f206477d8fb75279d82bc57c"),
    ("tempest@1", 6, SMALL_WREATH,
        "16322315c8bf52a36dbfaaf5dbe11e0cda23503a7323b42dcc08cf552f08514a", "d5c3939deb1060da183ec5b8ad1b9631cb7ad174651704f051dfc59c76430cde"),
    ("tempest@1", 7, SMALL_URCHIN,
        "e96f334c036b09bee8c184376a31a551dc6863c5f58cbb8ac5f0dc1e3bf3caa6", "e74ff46192ece276e7780233d4ba33b80aee18ff9b2eec1b443eab6bc31c0deb"),
    ("tempest@1", 8, SMALL_TWIST,
        "6cdef752da294ba92dd6ed38cd9a45fa8c4a3d4711bd033c829cf07a0385d988", "5cfe32ef32149a29b4682486908b55743f1e3c3c09d6cf83c676f542a2386ce1"),
    ("waltz@1", 8, SMALL_EMBRACE,
        "74cf1583de16a6154c2767af19d944a0432d3cdc899374e0c4caf20d2f77aaf5", "88426809606b89c5505019f62234a4e10d2e6a476ea85b5b3a4549d70b99f9bc"),
    ("waltz@1", 9, SMALL_CARTWHEEL,
        "899f55ab32351bd016f361e236ca66214b755f341dd876a6484aa748171bd12b", "fafc5fd42975983ae564a32285875b9bc8a6be7002302970c41d97a94321cdb8"),
    ("waltz@1", 10, SMALL_RIBBONS,
        "fca08ea99f67588ca747e215b99a6a2ead77be53fe895ff32c59ad4288e62ffc", "3b93f046c5ed4c16f7613aa3ed81349e49faeb4c13066ca275b461d207c8617c"),
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
    for row in [&GOLDEN[0], &GOLDEN[3], &GOLDEN[8]] {
        let one = in_pool(1, || digests(row));
        for threads in [2, 3] {
            assert_eq!(in_pool(threads, || digests(row)), one, "{} with {threads} threads", row.0);
        }
    }
}
