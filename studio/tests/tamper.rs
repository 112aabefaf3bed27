//! Whatever is changed after a piece was made is caught, and the report names it.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use serde_json::Value;

/// Two small pieces, minted in one home.
struct Two {
    folder: tempfile::TempDir,
    bundles: [PathBuf; 2],
}

impl Two {
    fn new() -> Self {
        let mut two = Self { folder: tempfile::tempdir().unwrap(), bundles: Default::default() };
        for (at, scenario, params) in [(0, "tempest", r#"{"detail":4}"#), (1, "bloom", r#"{"arms":8,"rings":4}"#)] {
            let film = r#"{"frames":3,"fps":12,"width":48,"height":48,"samples":2,"renderer":"cpu"}"#;
            let engine = seedstorm_sim::recipe::ENGINE;
            let text = format!(
                r#"{{"engine":"{engine}","scenario":"{scenario}@1","seed":"{:064x}","params":{params},"film":{film}}}"#,
                9
            );
            let path = two.folder.path().join(format!("{scenario}.json"));
            fs::write(&path, text).unwrap();
            let output = two.run(&["make", path.to_str().unwrap(), "--json"]);
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            let made: Value = serde_json::from_slice(&output.stdout).unwrap();
            two.bundles[at] = made["bundle"].as_str().unwrap().into();
        }
        two
    }

    fn home(&self) -> PathBuf {
        self.folder.path().join("home")
    }

    fn run(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_seedstorm"));
        command.args(arguments).env("SEEDSTORM_HOME", self.home()).env_remove("SEEDSTORM_PASSWORD");
        command.output().unwrap()
    }

    /// The failed checks of a piece, each with its detail.
    fn failures(&self, piece: &str) -> Vec<(String, String)> {
        let output = self.run(&["verify", piece, "--json"]);
        let report: Value = serde_json::from_slice(&output.stdout).unwrap_or(Value::Null);
        let checks = report["checks"].as_array().cloned().unwrap_or_default();
        let failed: Vec<_> = checks
            .iter()
            .filter(|check| check["ok"] == false)
            .map(|check| (check["name"].as_str().unwrap().into(), check["detail"].as_str().unwrap().into()))
            .collect();
        assert_eq!(output.status.success(), failed.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
        failed
    }

    fn bundle(&self) -> &str {
        self.bundles[0].to_str().unwrap()
    }
}

/// Runs `check` while one bit of a file is another.
fn with_a_bit_flipped(path: &Path, check: impl FnOnce()) {
    let whole = fs::read(path).unwrap();
    let mut changed = whole.clone();
    let middle = changed.len() / 2;
    changed[middle] ^= 1;
    fs::write(path, changed).unwrap();
    check();
    fs::write(path, whole).unwrap();
}

#[test]
fn every_change_is_caught_and_named() {
    let two = Two::new();
    for piece in [two.bundle(), "1", "2"] {
        assert_eq!(two.failures(piece), []);
    }
    for name in ["frames/0001.png", "film.mp4", "poster.png", "trajectory.bin"] {
        with_a_bit_flipped(&two.bundles[0].join(name), || {
            let failures = two.failures(two.bundle());
            assert!(failures.iter().any(|(_, detail)| detail.contains(name)), "{name}: {failures:?}");
            assert_eq!(two.failures("1"), failures, "by its number it is the same piece");
        });
    }
    for (name, check) in [("recipe.json", "recipe"), ("metadata.json", "metadata")] {
        with_a_bit_flipped(&two.bundles[0].join(name), || {
            let failures = two.failures(two.bundle());
            assert!(failures.iter().any(|(name, _)| name == check), "{name}: {failures:?}");
        });
    }
    let attestation = fs::read_dir(two.bundles[0].join("attestations")).unwrap().next().unwrap().unwrap().path();
    with_a_bit_flipped(&attestation, || {
        let failures = two.failures(two.bundle());
        assert!(failures.iter().any(|(name, _)| name == "attestations"), "{failures:?}");
    });
    let away = two.folder.path().join("attestation.json");
    fs::rename(&attestation, &away).unwrap();
    let failures = two.failures("1");
    assert!(failures.iter().any(|(_, detail)| detail.contains("attestations that were pinned")), "{failures:?}");
    fs::rename(&away, &attestation).unwrap();

    // The recipe of another piece, in its canonical form.
    let own = fs::read(two.bundles[0].join("recipe.json")).unwrap();
    fs::copy(two.bundles[1].join("recipe.json"), two.bundles[0].join("recipe.json")).unwrap();
    let failures = two.failures(two.bundle());
    assert!(failures.iter().any(|(_, detail)| detail.contains("recipe.json")), "{failures:?}");
    fs::write(two.bundles[0].join("recipe.json"), own).unwrap();

    // The metadata of another piece.
    let own = fs::read(two.bundles[0].join("metadata.json")).unwrap();
    fs::copy(two.bundles[1].join("metadata.json"), two.bundles[0].join("metadata.json")).unwrap();
    let failures = two.failures(two.bundle());
    assert!(failures.iter().any(|(name, _)| name == "metadata"), "{failures:?}");
    fs::write(two.bundles[0].join("metadata.json"), own).unwrap();
    assert_eq!(two.failures(two.bundle()), []);
}

/// Metadata that is true of the content, but that no token commits to.
#[test]
fn a_token_commits_to_its_own_metadata() {
    let two = Two::new();
    let path = two.bundles[0].join("metadata.json");
    let renamed = fs::read_to_string(&path).unwrap().replace("\"name\":\"Tempest", "\"name\":\"Tempesta");
    fs::write(&path, renamed).unwrap();
    let failures = two.failures(two.bundle());
    assert_eq!(failures.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["token"], "{failures:?}");
}

/// What is minted cannot be taken back: metadata that says what the recipe does not is not minted.
#[test]
fn edited_metadata_is_not_minted() {
    let two = Two::new();
    let recipe = two.folder.path().join("unminted.json");
    let mut text: Value = serde_json::from_slice(&fs::read(two.folder.path().join("bloom.json")).unwrap()).unwrap();
    text["seed"] = format!("{:064x}", 10).into();
    fs::write(&recipe, text.to_string()).unwrap();
    let made = two.run(&["make", recipe.to_str().unwrap(), "--no-mint", "--json"]);
    let made: Value = serde_json::from_slice(&made.stdout).unwrap();
    let path = Path::new(made["bundle"].as_str().unwrap()).join("metadata.json");
    let own = fs::read_to_string(&path).unwrap();
    let metadata: Value = serde_json::from_str(&own).unwrap();
    let form = metadata["attributes"][0]["value"].as_str().unwrap();
    let root = made["sim_root"].as_str().unwrap();
    let linked = (r#""image":"#, r#""external_url":"https://evil.example/","image":"#, "external_url");
    for (was, is, word) in [(form, "Golden", "attributes"), (root, &"0".repeat(64), "sim_root"), linked] {
        fs::write(&path, own.replace(was, is)).unwrap();
        let output = two.run(&["make", recipe.to_str().unwrap()]);
        let said = String::from_utf8_lossy(&output.stderr).replace("\n  │ ", " ");
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains(word) && said.contains("make the piece again"), "{said}");
    }
    let tokens: Value = serde_json::from_slice(&two.run(&["tokens", "--json"]).stdout).unwrap();
    assert_eq!(tokens.as_array().unwrap().len(), 2);
    fs::write(&path, own).unwrap();
    assert!(two.run(&["make", recipe.to_str().unwrap()]).status.success());
}

#[test]
fn a_chain_file_that_was_edited_is_refused() {
    let two = Two::new();
    let chain = two.home().join("chain/chain.bin");
    let whole = fs::read(&chain).unwrap();
    let text = String::from_utf8_lossy(&whole).into_owned();
    let (header, body) = text.split_once('\n').unwrap();
    let refused = |bytes: &[u8]| {
        fs::write(&chain, bytes).unwrap();
        let output = two.run(&["tokens"]);
        assert_eq!(output.status.code(), Some(1));
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(said.contains("chain.bin") && !said.contains("panicked"), "{said}");
        said
    };
    // A digit of a number in the middle.
    let at = body.len() / 2 + body[body.len() / 2..].find(|c: char| c.is_ascii_digit()).unwrap();
    let digit = if &body[at..=at] == "1" { "2" } else { "1" };
    refused(format!("{header}\n{}{digit}{}", &body[..at], &body[at + 1..]).as_bytes());
    refused(&whole[..whole.len() - 10]);
    refused(b"");
    let newer = text.replacen("seedstorm-chain 1 ", "seedstorm-chain 2 ", 1);
    assert!(refused(newer.as_bytes()).contains("version"));
    fs::write(&chain, whole).unwrap();
    assert!(two.run(&["tokens"]).status.success());
}

#[test]
fn a_store_that_was_changed_is_noticed() {
    let two = Two::new();
    let blocks = two.home().join("store/blocks");
    let largest = fs::read_dir(&blocks)
        .unwrap()
        .flat_map(|shard| fs::read_dir(shard.unwrap().path()).unwrap())
        .map(|file| file.unwrap().path())
        .max_by_key(|path| path.metadata().unwrap().len())
        .unwrap();
    // A token is read from the store where its bundle's folder is gone.
    for bundle in &two.bundles {
        fs::rename(bundle, two.folder.path().join(bundle.file_name().unwrap())).unwrap();
    }
    let name = largest.file_name().unwrap().to_str().unwrap().to_owned();
    let fails_by_name = || {
        let outputs = ["1", "2"].map(|token| two.run(&["verify", token, "--json"]));
        let said = outputs.map(|output| {
            String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
        });
        assert!(said.iter().any(|said| said.replace(['\n', ' ', '│'], "").contains(&name)), "{name}: {said:?}");
    };
    with_a_bit_flipped(&largest, fails_by_name);
    fs::remove_file(&largest).unwrap();
    fails_by_name();
}
