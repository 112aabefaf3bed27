//! Scene files on the command line: the examples make pieces that can be checked, hostile files get one line on the cause,
//! with line and field, and one on the help.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use serde_json::Value;

fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../assets/scenes")
}

struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn at(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn run(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_seedstorm"));
        command.args(arguments).env("SEEDSTORM_HOME", self.at("home")).env_remove("SEEDSTORM_PASSWORD");
        command.output().unwrap()
    }

    fn json(&self, arguments: &[&str]) -> Value {
        let output = self.run(&[arguments, &["--json"]].concat());
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// What `scene check` says of a file that is wrong.
    fn refused(&self, path: &Path) -> String {
        let output = self.run(&["scene", "check", path.to_str().unwrap()]);
        let said = String::from_utf8_lossy(&output.stderr).replace("\n  │ ", " ");
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(!said.contains("panicked") && output.stdout.is_empty(), "{said}");
        assert!(said.contains("help:"), "{said}");
        said
    }
}

const SMALL: &str = r#"scene = 1
title = "Small"
about = "Three balls fall"
time = { duration = 0.5, rate = 96 }
ground = {}

[params.height]
about = "how high"
unit = "m"
usual = [0.5, 1.0]

[traits.tone]
about = "its tone"
options = { ember = 2, moss = 1 }

[[bodies]]
shape = { ball = 0.1 }
arrange = { row = 3, step = [0.3, 0, 0] }
position = [0, { param = "height" }, { between = [-0.1, 0.1] }]
look = "ball"

[looks.ball]
material = "lacquer"
color = { by = "speed", from = 0, to = 4 }

[look]
palette = { trait = "tone" }
light = "softbox"
subject = [0.3, 0.4, 0]
radius = 0.8
camera = { keys = [{ at = 0, eye = [0.3, 0.6, 3], target = [0.3, 0.3, 0] }] }
"#;

#[test]
fn the_examples_are_right_and_say_what_they_hold() {
    let place = Place::new();
    for name in ["curtain", "tower", "loops", "vitrine"] {
        let path = examples().join(format!("{name}.toml"));
        let found = place.json(&["scene", "check", path.to_str().unwrap()]);
        assert!(found["bodies"]["most"].as_u64().unwrap() > 100, "{found}");
        assert!(!found["traits"].as_array().unwrap().is_empty(), "{found}");
        assert_eq!(found["kind"], "rigid");
        let recipe = place.run(&["recipe", path.to_str().unwrap(), "--seed", "7"]);
        let recipe: Value = serde_json::from_slice(&recipe.stdout).unwrap();
        assert_eq!((&recipe["scenario"], &recipe["scene"]["title"]), (&"scene@1".into(), &found["title"]));
    }
}

/// The whole way, from the file and then from its recipe alone, which is all that anybody else has.
#[test]
fn a_piece_of_a_scene_is_made_and_verified() {
    let place = Place::new();
    let (scene, recipe) = (place.at("small.toml"), place.at("recipe.json"));
    fs::write(&scene, SMALL).unwrap();
    let scene = scene.to_str().unwrap();
    let output = place.run(&["recipe", scene, "--seed", "7", "--param", "tone=moss"]);
    let mut document: Value = serde_json::from_slice(&output.stdout).unwrap();
    for (name, value) in [("frames", 2), ("width", 32), ("height", 32), ("samples", 1)] {
        document["film"][name] = value.into();
    }
    fs::write(&recipe, document.to_string()).unwrap();
    fs::remove_file(scene).unwrap();
    let made = place.json(&["make", recipe.to_str().unwrap()]);
    let bundle = made["bundle"].as_str().unwrap();
    let report = place.json(&["verify", bundle]);
    assert_eq!(report["ok"], true, "{report}");
    let metadata = fs::read_to_string(Path::new(bundle).join("metadata.json")).unwrap();
    assert!(metadata.contains("Small") && metadata.contains("Three balls fall"), "{metadata}");
    // The file's CID is the recipe's id, with a scene in it too.
    assert!(Path::new(bundle).ends_with(made["recipe_cid"].as_str().unwrap()));
}

#[test]
fn sweeps_and_censuses_take_scenes() {
    let place = Place::new();
    let scene = place.at("small.toml");
    fs::write(&scene, SMALL).unwrap();
    let scene = scene.to_str().unwrap();
    let census = place.json(&["census", scene, "--seeds", "300"]);
    assert_eq!(census["traits"][0]["options"][0]["value"], "ember");
    let swept =
        place.json(&["sweep", scene, "--seeds", "0..3", "--param", "height=0.5..1:2", "--top", "1", "--jobs", "1"]);
    assert_eq!(swept["pieces"], 6);
    assert_eq!(place.json(&["traits", scene, "--seed", "3"])["traits"][0]["name"], "tone");
}

#[test]
fn hostile_files_are_refused_with_their_line_and_field() {
    let place = Place::new();
    let path = place.at("scene.toml");
    let line_of = |text: &str, what: &str| text[..text.find(what).unwrap()].matches('\n').count() + 1;
    for (from, to, field) in [
        ("row = 3", "row = 1000000000", "bodies[0].arrange.row"),
        ("ball = 0.1", "ball = nan", "bodies[0].shape.ball"),
        ("ball = 0.1", "ball = -0.1", "bodies[0].shape.ball"),
        ("duration = 0.5", "duration = 1e9", "time.duration"),
        ("{ ball = 0.1 }", "{ ball = 0.1 }\nname = \"a\"", "joints[0]"),
    ] {
        let mut text = SMALL.replace(from, to);
        let mut at = line_of(&text, to);
        if field.starts_with("joints") {
            text += "[[joints]]\nkind = \"ball\"\nbetween = [\"a[0]\", \"a[0]\"]\n";
            at = line_of(&text, "[[joints]]");
        }
        fs::write(&path, text).unwrap();
        let said = place.refused(&path);
        assert!(said.contains(field) && said.contains(&format!("line {at},")), "{field}: {said}");
    }
    fs::write(&path, [0xff, 0xfe]).unwrap();
    assert!(place.refused(&path).contains("UTF-8"));
    fs::write(&path, "x".repeat(300_000)).unwrap();
    assert!(place.refused(&path).contains("262144 bytes"));
}

#[test]
fn meshes_stay_in_the_scenes_folder() {
    let place = Place::new();
    let folder = place.at("scene");
    fs::create_dir_all(folder.join("shapes")).unwrap();
    let ring = fs::read(examples().join("shapes/ring.glb")).unwrap();
    fs::write(place.at("outside.glb"), &ring).unwrap();
    fs::write(folder.join("shapes/ring.glb"), &ring).unwrap();
    let path = folder.join("scene.toml");
    let with = |file: &str| {
        let text = SMALL.replace("[[bodies]]", &format!("[meshes.a]\nfile = {file:?}\n\n[[bodies]]"));
        fs::write(&path, text.replace("{ ball = 0.1 }", "{ mesh = \"a\" }")).unwrap();
    };
    with("shapes/ring.glb");
    assert_eq!(place.json(&["scene", "check", path.to_str().unwrap()])["convex_pieces"], 1);
    fs::write(folder.join("huge.glb"), vec![0; (16 << 20) + 1]).unwrap();
    fs::write(folder.join("broken.glb"), &ring[..ring.len() / 2]).unwrap();
    let mut outside = vec!["../outside.glb".to_owned(), place.at("outside.glb").to_str().unwrap().to_owned()];
    outside.extend(["shapes/../../outside.glb", "none.glb", "shapes", "huge.glb", "broken.glb"].map(str::to_owned));
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink(place.at("outside.glb"), folder.join("link.glb")).unwrap();
        std::os::unix::fs::symlink(place.0.path(), folder.join("up")).unwrap();
        outside.extend(["link.glb", "up/outside.glb"].map(str::to_owned));
    }
    for file in outside {
        with(&file);
        let said = place.refused(&path);
        assert!(said.contains("meshes.a.file") && said.contains("line "), "{file}: {said}");
    }
}
