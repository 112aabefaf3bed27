//! The binary that is shipped runs the worlds of `sim/tests/golden.json` to the same bits: what else it links may have
//! switched features on in the crates below.

use std::{fs, process::Command};

use serde_json::{Value, json};

#[test]
fn the_binary_has_the_golden_roots() {
    let home = tempfile::tempdir().unwrap();
    let rows: Vec<Value> = serde_json::from_str(include_str!("../../sim/tests/golden.json")).unwrap();
    for row in &rows {
        let recipe = json!({
            "engine": seedstorm_sim::recipe::ENGINE, "scenario": row["scenario"],
            "seed": format!("{:064x}", row["seed"].as_u64().unwrap()), "params": row["params"],
            "film": {"frames": 1, "fps": 12, "width": 16, "height": 16, "samples": 1, "renderer": "cpu"},
        });
        let path = home.path().join("recipe.json");
        fs::write(&path, recipe.to_string()).unwrap();
        let mut make = Command::new(env!("CARGO_BIN_EXE_seedstorm"));
        make.args(["make", path.to_str().unwrap(), "--no-mint", "--json", "--backend", "cpu"]);
        let made = make.env("SEEDSTORM_HOME", home.path().join("home")).output().unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let made: Value = serde_json::from_slice(&made.stdout).unwrap();
        assert_eq!(made["sim_root"], row["sim_root"], "{}", row["scenario"]);
    }
}
