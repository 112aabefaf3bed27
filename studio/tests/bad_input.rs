//! Input that is wrong, hostile or unlucky gets one line on the cause and one on the help, and nothing is lost.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use serde_json::Value;

struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn at(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_seedstorm"));
        command.args(arguments).env("SEEDSTORM_HOME", self.at("home")).env_remove("SEEDSTORM_PASSWORD");
        command
    }

    /// What a command says that fails with `code`: a cause and a help, no panic, nothing on standard output.
    fn refused(&self, arguments: &[&str], code: i32) -> String {
        refusal(&self.command(arguments).output().unwrap(), code)
    }

    fn recipe(&self, change: impl FnOnce(&mut Value)) -> PathBuf {
        let mut recipe = serde_json::json!({
            "engine": seedstorm_sim::recipe::ENGINE, "scenario": "bloom@1", "seed": format!("{:064x}", 5),
            "params": {"arms": 8, "rings": 4},
            "film": {"frames": 2, "fps": 12, "width": 32, "height": 32, "samples": 1, "renderer": "cpu"},
        });
        change(&mut recipe);
        let path = self.at("recipe.json");
        fs::write(&path, serde_json::to_vec(&recipe).unwrap()).unwrap();
        path
    }

    fn made(&self) -> Value {
        let output = self.command(&["make", words(&self.recipe(|_| {})), "--json"]).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    }
}

fn words(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn refusal(output: &Output, code: i32) -> String {
    let said = String::from_utf8_lossy(&output.stderr).replace("\n  │ ", " ");
    assert_eq!(output.status.code(), Some(code), "{said}");
    assert!(!said.contains("panicked"), "{said}");
    assert!(output.stdout.is_empty(), "{}", String::from_utf8_lossy(&output.stdout));
    said
}

#[test]
fn recipes_that_cannot_be_used_name_the_field() {
    let place = Place::new();
    type Change = fn(&mut Value);
    let changes: &[(Change, &str)] = &[
        (|r| r["scenario"] = "landslide@1".into(), "landslide"),
        (|r| r["scenario"] = "../../etc/passwd@1".into(), "scenario"),
        (|r| r["engine"] = "seedstorm/999".into(), "engine"),
        (|r| r["seed"] = "00ff".into(), "seed"),
        (|r| r["seed"] = 7.into(), "seed"),
        (|r| r["params"]["wind"] = 3.into(), "wind"),
        (|r| r["params"]["arms"] = 1e300.into(), "params.arms"),
        (|r| r["params"]["arms"] = 8.5.into(), "params.arms"),
        (|r| r["params"]["tile"] = "cube".into(), "tile"),
        (|r| r["film"]["width"] = 0.into(), "film.width"),
        (|r| r["film"]["width"] = (1u64 << 40).into(), "film.width"),
        (|r| r["film"]["frames"] = (-1).into(), "film.frames"),
        (|r| r["film"]["renderer"] = "../cycles".into(), "renderer"),
        (|r| r["more"] = true.into(), "more"),
    ];
    for (change, field) in changes {
        let said = place.refused(&["make", words(&place.recipe(change))], 2);
        assert!(said.contains(field), "{field}: {said}");
    }
    let path = place.at("recipe.json");
    let texts: [&[u8]; 6] =
        [b"", b"[]", b"{\"seed\":NaN}", b"{\"params\":{\"arms\":1e999}}", &[0xff; 40], &[b'['; 60_000]];
    for text in texts {
        fs::write(&path, text).unwrap();
        place.refused(&["make", words(&path)], 2);
    }
}

#[test]
fn a_recipe_of_two_gigabytes_is_not_read() {
    let place = Place::new();
    let path = place.at("huge.json");
    fs::File::create(&path).unwrap().set_len(2 << 30).unwrap();
    let start = std::time::Instant::now();
    place.refused(&["make", words(&path)], 2);
    assert!(start.elapsed().as_secs() < 5);
}

/// Nobody writes into the pipe: reading it would never end.
#[cfg(unix)]
#[test]
fn a_pipe_is_no_recipe_and_no_archive() {
    let place = Place::new();
    let path = place.at("pipe.json");
    assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
    let said = place.refused(&["make", words(&path)], 2);
    assert!(said.contains("not a regular file"), "{said}");
    let said = place.refused(&["import-car", words(&path)], 1);
    assert!(said.contains("not a regular file"), "{said}");
}

#[test]
fn a_parameter_of_the_wrong_kind_is_said_in_words() {
    let place = Place::new();
    for value in [Value::Null, Value::Bool(true), serde_json::json!([1]), serde_json::json!({"a": 1})] {
        let said = place.refused(&["make", words(&place.recipe(|r| r["params"]["arms"] = value.clone()))], 2);
        assert!(said.contains("`params.arms`") && said.contains("expected a number or a text"), "{said}");
        assert!(!said.contains("ParamValue"), "{said}");
    }
}

/// Before anything is begun anew in its place.
#[test]
fn a_chain_that_was_moved_away_is_said_with_a_way_out() {
    let place = Place::new();
    let made = place.made();
    let (chain, away) = (place.at("home/chain/chain.bin"), place.at("chain.bin"));
    fs::rename(&chain, &away).unwrap();
    for arguments in [&["tokens"][..], &["make", words(&place.recipe(|_| {}))], &["verify", "1"]] {
        let said = place.refused(arguments, 1);
        assert!(said.contains("chain.bin is gone") && said.contains("collection.json away"), "{said}");
        assert!(!chain.exists(), "{arguments:?} begins no other chain");
    }
    // Brought back, all is as it was; with its collection away too, another begins.
    fs::rename(&away, &chain).unwrap();
    assert_eq!(place.made()["token"], made["token"]);
    fs::rename(&chain, &away).unwrap();
    fs::rename(place.at("home/chain/collection.json"), place.at("collection.json")).unwrap();
    assert_eq!(place.made()["token"], 1);
}

#[test]
fn a_chain_that_is_none_is_said_in_words() {
    let place = Place::new();
    place.made();
    let body = b"[]";
    let digest = seedstorm_mint::block::sha256_digest(&seedstorm_mint::block::raw_cid(body)).unwrap();
    let digest: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    let mut file = format!("seedstorm-chain 1 {} {digest}\n", body.len()).into_bytes();
    file.extend(body);
    fs::write(place.at("home/chain/chain.bin"), file).unwrap();
    let said = place.refused(&["tokens"], 1);
    assert!(!said.contains("Ledger"), "{said}");
}

/// What a `verify` that was killed wrote out of the store goes away with the next one.
#[test]
fn a_killed_verify_leaves_nothing_for_long() {
    let place = Place::new();
    let made = place.made();
    fs::remove_dir_all(made["bundle"].as_str().unwrap()).unwrap();
    let left = place.at("home/store/.new-killed/bundle/frames");
    fs::create_dir_all(&left).unwrap();
    fs::write(left.join("0000.png"), b"half of it").unwrap();
    assert!(place.command(&["verify", "1"]).output().unwrap().status.success());
    let names: Vec<_> = fs::read_dir(place.at("home/store")).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(names.len(), 3, "blocks, pins and lock: {names:?}");
}

#[test]
fn what_is_no_bundle_is_said_to_be_none() {
    let place = Place::new();
    let bundle = PathBuf::from(place.made()["bundle"].as_str().unwrap());
    let broken = |name: &str, spoil: &dyn Fn(&Path)| {
        let copy = place.at(name);
        copy_folder(&bundle, &copy);
        spoil(&copy);
        let output = place.command(&["verify", words(&copy), "--json"]).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{name}");
        let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        assert!(!said.contains("panicked"), "{said}");
        said
    };
    for file in ["film.mp4", "trajectory.bin", "recipe.json", "metadata.json", "frames/0001.png"] {
        let said = broken("missing", &|copy| fs::remove_file(copy.join(file)).unwrap());
        assert!(said.contains(file.split('/').next().unwrap()), "{file}: {said}");
        fs::remove_dir_all(place.at("missing")).unwrap();
        broken("empty", &|copy| fs::write(copy.join(file), b"").unwrap());
        fs::remove_dir_all(place.at("empty")).unwrap();
    }
    let said = broken("stray", &|copy| fs::write(copy.join("run.sh"), b"rm -rf /").unwrap());
    assert!(said.contains("run.sh"), "{said}");
    #[cfg(unix)]
    {
        let said = broken("linked", &|copy| {
            fs::remove_file(copy.join("film.mp4")).unwrap();
            std::os::unix::fs::symlink("/etc/hostname", copy.join("film.mp4")).unwrap();
        });
        assert!(said.contains("film.mp4"), "{said}");
    }
}

#[test]
fn a_wrong_password_makes_nothing() {
    let place = Place::new();
    let recipe = place.recipe(|_| {});
    let with = |password: &str| {
        place.command(&["make", words(&recipe), "--json"]).env("SEEDSTORM_PASSWORD", password).output().unwrap()
    };
    assert!(with("right").status.success());
    fs::remove_dir_all(place.at("home/bundles")).unwrap();
    let said = refusal(&with("wrong"), 1);
    assert!(said.contains("password"), "{said}");
    assert_eq!(fs::read_dir(place.at("home/bundles")).unwrap().count(), 0, "it failed before the work");
    assert!(with("right").status.success());
}

/// A key cannot be made again: another one is never put in its place.
#[test]
fn a_lost_key_is_said_before_the_work() {
    let place = Place::new();
    place.made();
    let (key, away) = (place.at("home/keys/key.json"), place.at("key.json"));
    fs::rename(&key, &away).unwrap();
    let other = place.recipe(|r| r["seed"] = format!("{:064x}", 6).into());
    let said = place.refused(&["make", words(&other)], 1);
    assert!(said.contains("key.json") && said.contains("restore"), "{said}");
    assert!(!key.exists());
    fs::rename(&away, &key).unwrap();
    assert!(place.command(&["make", words(&other)]).output().unwrap().status.success());
}

/// A disk that is full in the middle of the work costs the work since the last file, and nothing else.
#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_said_and_survived() {
    let place = Place::new();
    let disk = place.at("disk");
    fs::create_dir(&disk).unwrap();
    let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", "size=96k", "tmpfs", words(&disk)]).status();
    if !mounted.is_ok_and(|status| status.success()) {
        assert!(std::env::var_os("SEEDSTORM_REQUIRE_TMPFS").is_none(), "a small tmpfs cannot be mounted");
        eprintln!("not tried: mounting a small tmpfs takes root");
        return;
    }
    let _unmount = Unmount(disk.clone());
    let recipe = place.recipe(|r| r["film"]["frames"] = 12.into());
    let make = || {
        let mut command = place.command(&["make", words(&recipe), "--json"]);
        command.env("SEEDSTORM_HOME", disk.join("home")).output().unwrap()
    };
    let said = refusal(&make(), 1);
    assert!(said.contains("space") && said.contains("SEEDSTORM_HOME"), "{said}");
    let grown = Command::new("mount").args(["-o", "remount,size=64m", words(&disk)]).status().unwrap();
    assert!(grown.success());
    let output = make();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[cfg(target_os = "linux")]
struct Unmount(PathBuf);

#[cfg(target_os = "linux")]
impl Drop for Unmount {
    fn drop(&mut self) {
        // Best effort: the folder is temporary.
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

/// Root writes to folders that are read-only by their mode, so the folder is on a disk that is mounted read-only.
#[cfg(target_os = "linux")]
#[test]
fn a_read_only_folder_is_said() {
    let place = Place::new();
    place.made();
    let home = place.at("home");
    let bound = |options: &[&str]| Command::new("mount").args(options).arg(&home).status().is_ok_and(|s| s.success());
    if !bound(&["--bind", words(&home)]) {
        assert!(std::env::var_os("SEEDSTORM_REQUIRE_TMPFS").is_none(), "a folder cannot be mounted");
        eprintln!("not tried: mounting takes root");
        return;
    }
    let _unmount = Unmount(home.clone());
    assert!(bound(&["-o", "remount,bind,ro"]));
    let other = place.recipe(|r| r["seed"] = format!("{:064x}", 6).into());
    for arguments in [&["make", words(&other)][..], &["sweep", "bloom", "--seeds", "0..2"]] {
        let said = place.refused(arguments, 1);
        assert!(said.contains("Read-only") && said.contains("SEEDSTORM_HOME"), "{said}");
        assert!(!said.contains(".new-"), "{said}");
    }
    // What only reads goes on.
    assert!(place.command(&["tokens"]).output().unwrap().status.success());
}

#[test]
fn a_home_that_cannot_be_written_is_said() {
    let place = Place::new();
    fs::write(place.at("home"), b"a file where a folder should be").unwrap();
    let said = place.refused(&["make", words(&place.recipe(|_| {}))], 1);
    assert!(said.contains("home"), "{said}");
    #[cfg(target_os = "linux")]
    {
        let mut command = place.command(&["make", "bloom", "--param", "arms=8", "--param", "rings=4"]);
        let said = refusal(&command.env("SEEDSTORM_HOME", "/proc/seedstorm").output().unwrap(), 1);
        assert!(said.contains("/proc/seedstorm"), "{said}");
    }
}

/// A link in the place of a lock is not followed: what it leads to stays as it is.
#[cfg(unix)]
#[test]
fn a_link_in_the_place_of_a_lock_harms_nothing() {
    let place = Place::new();
    place.made();
    let (lock, victim) = (place.at("home/chain/collection.lock"), place.at("victim"));
    fs::write(&victim, b"precious").unwrap();
    fs::remove_file(&lock).unwrap();
    std::os::unix::fs::symlink(&victim, &lock).unwrap();
    let other = place.recipe(|r| r["seed"] = format!("{:064x}", 6).into());
    let said = place.refused(&["make", words(&other)], 1);
    assert!(said.contains("collection.lock") && said.contains("plain file"), "{said}");
    assert_eq!(fs::read(&victim).unwrap(), b"precious");
}

/// A disk that is full when the token is minted: the piece is there, and the next run mints it.
#[cfg(target_os = "linux")]
#[test]
fn a_disk_that_is_full_at_the_mint_is_said() {
    let place = Place::new();
    place.made();
    let chain = place.at("home/chain");
    let kept = place.at("kept");
    copy_folder(&chain, &kept);
    let size = fs::metadata(chain.join("chain.bin")).unwrap().len().div_ceil(4096) * 4 + 12;
    let options = format!("size={size}k");
    let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", &options, "tmpfs", words(&chain)]).status();
    if !mounted.is_ok_and(|status| status.success()) {
        assert!(std::env::var_os("SEEDSTORM_REQUIRE_TMPFS").is_none(), "a small tmpfs cannot be mounted");
        return;
    }
    let _unmount = Unmount(chain.clone());
    copy_folder(&kept, &chain);
    let other = place.recipe(|r| r["seed"] = format!("{:064x}", 6).into());
    let said = place.refused(&["make", words(&other)], 1);
    assert!(said.contains("space") && said.contains("nothing is minted twice"), "{said}");
    assert!(!said.contains("server returned"), "{said}");
    assert!(Command::new("mount").args(["-o", "remount,size=64m", words(&chain)]).status().unwrap().success());
    let output = place.command(&["make", words(&other), "--json"]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let made: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&made["token"], &made["reused"]), (&2.into(), &true.into()));
}

/// Whatever is wrong with a command is one cause and one help.
#[test]
fn wrong_commands_are_said_like_the_rest() {
    let place = Place::new();
    for (arguments, word) in [
        (&["mke"][..], "make"),
        (&["make"], "SCENARIO"),
        (&["make", "bloom", "--sed", "7"], "--seed"),
        (&["make", "bloom", "--quality", "high"], "draft"),
        (&["make", "bloom", "--seed", "zz"], "hexadecimal"),
        (&["show", "x"], "TOKEN"),
        (&["sweep", "bloom", "--seeds", "0..99999999999"], "at most"),
    ] {
        let said = place.refused(arguments, 2);
        assert!(said.contains(word) && said.contains("help: "), "{arguments:?}: {said}");
        assert!(!said.ends_with("\n\n"), "{said:?}");
    }
}

/// A link, a pipe or a device in the place of an output stays what it is.
#[cfg(unix)]
#[test]
fn outputs_replace_files_alone() {
    let place = Place::new();
    place.made();
    let (target, link, pipe) = (place.at("target"), place.at("link.png"), place.at("pipe.png"));
    fs::write(&target, b"precious").unwrap();
    std::os::unix::fs::symlink(&target, &link).unwrap();
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    for out in [&link, &pipe] {
        for arguments in [
            &["export-car", "1", "--out"][..],
            &["sweep", "bloom", "--seeds", "0..2", "--param", "arms=6", "--param", "rings=3", "--csv"],
            &["sweep", "bloom", "--seeds", "0..2", "--param", "arms=6", "--param", "rings=3", "--sheet"],
            &["replay", "1", "--segment", "0", "--journal"],
        ] {
            let said = place.refused(&[arguments, &[words(out)]].concat(), 1);
            assert!(said.contains("not a regular file") && said.contains("plain file"), "{said}");
        }
        assert!(!fs::symlink_metadata(out).unwrap().is_file());
    }
    assert_eq!(fs::read(&target).unwrap(), b"precious");
}

#[test]
fn archives_go_where_they_are_told_or_nowhere() {
    let place = Place::new();
    place.made();
    let out = place.at("no/such/folder/piece.car");
    let said = place.refused(&["export-car", "1", "--out", words(&out)], 1);
    assert!(said.contains("no/such/folder"), "{said}");
    let archive = place.at("piece.car");
    assert!(place.command(&["export-car", "1", "--out", words(&archive)]).output().unwrap().status.success());
    let mut bytes = fs::read(&archive).unwrap();
    bytes.pop();
    fs::write(&archive, bytes).unwrap();
    let elsewhere = Place::new();
    let said = elsewhere.refused(&["import-car", words(&archive)], 1);
    assert!(said.contains("nothing of it was kept"), "{said}");
    assert_eq!(fs::read_dir(elsewhere.at("home/store/blocks")).unwrap().count(), 0);
    fs::write(&archive, b"no archive").unwrap();
    elsewhere.refused(&["import-car", words(&archive)], 1);
    elsewhere.refused(&["import-car", words(&elsewhere.at("nothing.car"))], 1);
    for piece in ["../home", "1/../1", "-1", "18446744073709551616", "", "."] {
        let output = place.command(&["verify", "--", piece]).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(matches!(output.status.code(), Some(1 | 2)) && !said.contains("panicked"), "{piece}: {said}");
    }
}

fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let place = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy_folder(&entry.path(), &place);
        } else {
            fs::copy(entry.path(), place).unwrap();
        }
    }
}
