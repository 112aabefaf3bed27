//! Scene files: what is right becomes a layout that depends on the seed alone, what is wrong is refused with its line and
//! field.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::collections::BTreeMap;

use seedstorm_sim::{
    Backend, Film, Genome, Recipe, Seed, resolve,
    scenario::authored::{Blueprint, Document, Folder, Layout, MAX_BODIES, Particle, SceneError, import},
    segment::Replayer,
    simulate,
};

/// Files in memory.
#[derive(Default)]
struct Files(BTreeMap<&'static str, Vec<u8>>);

impl Folder for Files {
    fn read(&mut self, path: &str, most: usize) -> Result<Vec<u8>, String> {
        let bytes = self.0.get(path).ok_or("is not there")?;
        if bytes.len() > most { Err("is too large".into()) } else { Ok(bytes.clone()) }
    }
}

const HEAD: &str = r#"
scene = 1
title = "A test"
about = "Bodies fall"

[time]
duration = 1.0

[traits.mood]
about = "how it falls"
options = { calm = 60, wild = 40 }

[params.height]
about = "how high it is"
unit = "m"
usual = [1.0, 2.0]
min = 0.5
max = 4.0

[params.count]
about = "how many there are"
usual = [3, 9]
integer = true

[looks.red]
material = "lacquer"
color = 0

[look]
palette = "ember"
light = { trait = "mood", calm = "softbox", wild = "noir" }
subject = [0, 1, 0]
radius = 2
camera = { keys = [{ at = 0, eye = [0, 1, 5], target = [0, 1, 0] }] }
"#;

const BALLS: &str = r#"
[[bodies]]
name = "ball"
shape = { ball = { trait = "mood", calm = 0.1, wild = { between = [0.05, 0.2] } } }
arrange = { row = { param = "count" }, step = [0.5, 0, 0] }
position = [{ normal = [0, 0.01] }, { param = "height" }, { between = [-0.1, 0.1] }]
look = "red"
"#;

fn read(body: &str) -> Result<Blueprint, SceneError> {
    read_with(body, &mut Files::default())
}

fn read_with(body: &str, files: &mut Files) -> Result<Blueprint, SceneError> {
    Blueprint::read(&import(&format!("{}{body}", HEAD.trim_start()), files)?)
}

/// The line of the whole file on which the given text of the body stands.
fn line_of(body: &str, what: &str) -> u32 {
    let whole = format!("{}{body}", HEAD.trim_start());
    let at = whole.find(what).unwrap_or_else(|| panic!("{what} is not there"));
    whole[..at].matches('\n').count() as u32 + 1
}

fn layout(scene: &Blueprint, seed: u64) -> Layout {
    let genome = scene.genome(&Seed::from(seed), &BTreeMap::new()).unwrap();
    Layout::new(scene, &genome)
}

#[test]
fn a_layout_is_a_function_of_the_seed() {
    let scene = read(BALLS).unwrap();
    assert_eq!(scene.bodies(), [3, 9]);
    let (a, b) = (layout(&scene, 7), layout(&scene, 7));
    assert_eq!(a.bodies, b.bodies);
    let all: Vec<_> = (0..40).map(|seed| layout(&scene, seed)).collect();
    assert!(all.iter().all(|layout| (3..=9).contains(&layout.bodies.len())));
    assert!(all.iter().any(|layout| layout.bodies.len() != all[0].bodies.len()));
    assert!(all.iter().any(|layout| layout.bodies[0].position != all[0].bodies[0].position));
}

/// The layout of a file is the same when it is written in another order, and when a recipe carried it as JSON.
#[test]
fn only_what_a_file_says_counts() {
    let text = format!("{}{BALLS}", HEAD.trim_start());
    let document = import(&text, &mut Files::default()).unwrap();
    let json: Document = serde_json::from_slice(&document.canonical()).unwrap();
    assert_eq!(json, document);
    assert_eq!(json.canonical(), document.canonical());
    let spread = text.replace("step = [0.5, 0, 0]", "step = [\n 5e-1, # half a metre\n 0.0, -0.0]");
    let same = import(&spread, &mut Files::default()).unwrap();
    assert_eq!(same.canonical(), document.canonical());
    let (a, b) = (Blueprint::read(&json).unwrap(), Blueprint::read(&same).unwrap());
    assert_eq!(layout(&a, 3).bodies, layout(&b, 3).bodies);
}

#[test]
fn what_is_wrong_is_refused_with_its_line_and_field() {
    // What is replaced in the balls, what by, the field that is named, and a word of the message.
    let cases = [
        ("{ param = \"count\" }", "1000000000", "bodies[0].arrange.row", "1000000000"),
        ("{ param = \"count\" }", "2.5", "bodies[0].arrange.row", "count"),
        ("{ param = \"count\" }", "{ param = \"height\", times = 1e5 }", "bodies[0].arrange.row", "400000"),
        ("{ param = \"count\" }", "{ between = [1, 5] }", "bodies[0].arrange.row", "chance"),
        ("calm = 0.1", "calm = -0.1", "bodies[0].shape.ball", "-0.1"),
        ("calm = 0.1", "calm = nan", "bodies[0].shape.ball.calm", "finite"),
        ("calm = 0.1", "calm = inf", "bodies[0].shape.ball.calm", "finite"),
        ("calm = 0.1", "calm = 1e999", "bodies[0].shape.ball.calm", "finite"),
        ("calm = 0.1", "calm = 99999999999999999999", "bodies[0].shape.ball.calm", "large"),
        ("calm = 0.1", "calm = \"0.1\"", "bodies[0].shape.ball.calm", "number"),
        ("calm = 0.1", "calm = 1979-05-27", "bodies[0].shape.ball.calm", "date"),
        ("calm = 0.1, ", "", "bodies[0].shape.ball", "`calm`"),
        ("calm = 0.1", "calm = 0.1, mild = 1", "bodies[0].shape.ball", "entries"),
        ("wild = { between = [0.05, 0.2] }", "wild = { between = [-0.05, 0.2] }", "bodies[0].shape.ball", "-0.05"),
        ("[0.05, 0.2]", "[0.2, 0.05]", "bodies[0].shape.ball.wild.between", "down"),
        ("[0.05, 0.2]", "[0.05, { between = [0.1, 0.2] }]", "bodies[0].shape.ball.wild.between[1]", "chance"),
        ("normal = [0, 0.01]", "normal = [0, -1]", "bodies[0].position[0].normal", "deviation"),
        ("normal = [0, 0.01]", "normal = [0, 1e6]", "bodies[0].position[0]", "4000000"),
        ("{ param = \"height\" }", "{ param = \"depth\" }", "bodies[0].position[1].param", "depth"),
        ("step = [0.5, 0, 0]", "step = [0.5, 0]", "bodies[0].arrange.step", "2 elements"),
        ("step = [0.5, 0, 0]", "pace = [0.5, 0, 0]", "bodies[0].arrange.step", "missing"),
        ("look = \"red\"", "look = \"blue\"", "bodies[0].look", "blue"),
        ("look = \"red\"", "look = \"red\"\nmass = 3", "bodies[0].mass", "not known"),
        ("look = \"red\"", "look = \"red\"\nfixed = 1", "bodies[0].fixed", "true or false"),
        ("name = \"ball\"", "name = \"Ball!\"", "bodies[0].name", "Ball"),
        ("{ ball = ", "{ mesh = ", "bodies[0].shape.mesh", "text"),
        ("shape = { ball = ", "shape = { box = [1, 1, 1], ball = ", "bodies[0].shape", "beside"),
    ];
    for (from, to, field, word) in cases {
        let body = BALLS.replacen(from, to, 1);
        assert_ne!(body, BALLS, "{from}");
        let error = read(&body).expect_err(to);
        assert_eq!(
            error.field.trim_end_matches(".ball").trim_end_matches(".box"),
            field.trim_end_matches(".ball"),
            "{error}"
        );
        assert!(error.reason.contains(word) || error.help.contains(word), "{error} ({})", error.help);
        let line = if to.contains('\n') { to.split_once('\n').unwrap().1 } else { to };
        let place = error.place.unwrap_or_else(|| panic!("{error}"));
        let table = error.reason.contains("missing") || error.reason.contains("says nothing");
        if !table {
            let expected = if to.is_empty() { line_of(&body, "shape") } else { line_of(&body, line) };
            assert_eq!(place.line, expected, "{error}");
        }
        assert!(error.to_string().contains(&format!("line {}, column {}", place.line, place.column)));
        assert!(!error.help.is_empty());
    }
}

#[test]
fn the_whole_is_bounded_too() {
    let many = BALLS.replace("{ param = \"count\" }", "4000") + &BALLS.replace("name = \"ball\"\n", "");
    let many = many.replace("step = [0.5, 0, 0]", "step = [0.1, 0, 0]");
    assert!(read(&many).is_ok(), "4000 and at most 9");
    let more = format!("{many}{}", BALLS.replace("name = \"ball\"\n", "").replace("{ param = \"count\" }", "200"));
    let error = read(&more).unwrap_err();
    assert_eq!(error.field, "bodies[2]");
    assert!(error.reason.contains("4209") && error.help.contains(&MAX_BODIES.to_string()), "{error}");

    let error = read(&format!("{BALLS}{}", BALLS)).unwrap_err();
    assert_eq!(error.field, "bodies[1]", "two groups of one name");
    assert!(read("").unwrap_err().reason.contains("nothing"));
    let long = format!("# {}\n", "x".repeat(300_000));
    assert!(read(&long).unwrap_err().reason.contains("larger"));
    for deep in [
        format!("x = {}", "[".repeat(70_000)),
        format!("x{} = 1", ".x".repeat(70_000)),
        format!("[x{}]", ".x".repeat(70_000)),
    ] {
        assert!(read(&deep).is_err());
    }
    let syntax = read("[[bodies]\n").unwrap_err();
    assert_eq!(syntax.place.unwrap().line, line_of("[[bodies]\n", "[[bodies]"));
}

#[test]
fn joints_form_trees() {
    let joined = |joints: &str| read(&format!("{BALLS}{joints}"));
    let joint = |a: &str, b: &str| format!("[[joints]]\nkind = \"ball\"\nbetween = [\"{a}\", \"{b}\"]\n");
    let scene =
        joined(&[joint("ground", "ball[0]"), joint("ball[0]", "ball[1]"), joint("ball[2]", "ball[1]")].concat());
    let plan = layout(&scene.unwrap(), 1);
    assert_eq!(plan.joints.len(), 3);
    assert_eq!(plan.joints[0].anchor, plan.bodies[0].position);
    let loops = [
        [joint("ball[0]", "ball[0]"), String::new(), String::new()].concat(),
        [joint("ball[0]", "ball[1]"), joint("ball[1]", "ball[0]")].concat(),
        [joint("ball[0]", "ball[1]"), joint("ball[1]", "ball[2]"), joint("ball[2]", "ball[0]")].concat(),
    ];
    for joints in loops {
        let error = joined(&joints).unwrap_err();
        let last = joints.matches("[[joints]]").count() - 1;
        assert_eq!(error.field, format!("joints[{last}]"), "{error}");
        assert!(error.help.contains("tree"), "{error}");
        let whole = format!("{}{BALLS}{joints}", HEAD.trim_start());
        let at = whole.rfind("[[joints]]").unwrap();
        assert_eq!(error.place.unwrap().line as usize, whole[..at].matches('\n').count() + 1);
    }
    for (b, word) in [("ball[3]", "ball[2]"), ("ball", "ball[0]"), ("ball[01]", "ball[0]"), ("box", "box")] {
        let error = joined(&joint("ball[0]", b)).unwrap_err();
        assert_eq!(error.field, "joints[0].between[1]");
        assert!(error.reason.contains(word) || error.help.contains(word), "{error} {}", error.help);
    }
    let chain = "[[joints]]\nkind = \"hinge\"\nchain = \"ball\"\nhang = true\naxis = [0, 0, 1]\nlimits = [-90, 90]\n";
    let plan = layout(&joined(chain).unwrap(), 1);
    assert_eq!(plan.joints.len(), plan.bodies.len());
    assert!(joined(&format!("{chain}{}", joint("ball[0]", "ball[2]"))).is_err());
    assert!(joined(&chain.replace("hang", "along = \"y\"\nhang")).is_err());
}

const WATER: &str = r#"
[tank]
size = [1, 1, 1]
cell = 0.05

[materials.water]
kind = "liquid"
look = "red"

[[matter]]
material = "water"
ball = 0.2
position = [0, 0.5, 0]

[[emitters]]
material = "water"
disc = 0.05
position = [0, 0.8, 0]
velocity = [0, -1, 0]
rate = 100
until = 0.5
"#;

#[test]
fn matter_fills_its_blocks_and_comes_out_of_emitters() {
    let scene = read(WATER).unwrap();
    let plan = layout(&scene, 1);
    assert!(plan.particles.len() <= scene.most_particles());
    let (first, late): (Vec<Particle>, Vec<Particle>) = plan.particles.iter().copied().partition(|p| p.birth == 0);
    // A ball of 8 spacings across.
    assert!((1900..2400).contains(&first.len()), "{}", first.len());
    assert_eq!(late.len(), 49);
    let inside = |p: &Particle| {
        let [x, y, z] = p.position;
        (x * x + (y - 0.5) * (y - 0.5) + z * z).sqrt() <= 0.2001
    };
    // The emitter's first particle is born at the first step too.
    assert!(first[..first.len() - 1].iter().all(inside));
    for (from, to, field) in [
        ("cell = 0.05", "cell = 0.01", "tank.cell"),
        ("position = [0, 0.5, 0]", "position = [0.35, 0.5, 0]", "matter[0].position"),
        ("position = [0, 0.5, 0]", "position = [{ between = [0, 0.35] }, 0.5, 0]", "matter[0].position"),
        ("rate = 100", "rate = 1000000", "emitters[0]"),
        ("material = \"water\"\nball", "material = \"lava\"\nball", "matter[0].material"),
        ("kind = \"liquid\"", "kind = \"liquid\"\nshear = 3", "materials.water.shear"),
        ("kind = \"liquid\"", "kind = \"liquid\"\nviscosity = -1", "materials.water.viscosity"),
        ("velocity = [0, -1, 0]\nrate = 100", "velocity = [0, { param = \"count\", times = 0 }, 0]", "emitters[0]"),
        ("velocity = [0, -1, 0]\nrate = 100", "velocity = [0, { between = [-2, -1] }, 0]", "emitters[0]"),
        ("[[emitters]]", "[[forces]]\nkeys = [{ at = 0, pull = [0, 500, 0] }]\n\n[[emitters]]", "tank"),
    ] {
        let body = WATER.replacen(from, to, 1);
        assert_ne!(body, WATER);
        let error = read(&body).unwrap_err();
        assert_eq!(error.field, field, "{error}");
        assert!(error.place.is_some(), "{error}");
    }
    assert_eq!(read(&WATER.replace("[tank]\nsize = [1, 1, 1]\ncell = 0.05\n", "")).unwrap_err().field, "matter[0]");
}

/// However small they are, blocks stand in so many places and no more.
#[test]
fn places_of_matter_are_bounded() {
    let block = "\n[[matter]]\nmaterial = \"water\"\nbox = [0.05, 0.05, 0.05]\n\
                 arrange = { row = 2100, step = [0.0001, 0, 0] }\nposition = [0, 0.2, 0]\n";
    assert!(read(&format!("{WATER}{block}")).is_ok());
    assert_eq!(read(&format!("{WATER}{block}{block}")).unwrap_err().field, "matter[2]");
}

/// Blocks stand as bodies do, each with what it draws.
#[test]
fn blocks_of_matter_are_arranged() {
    let stack = WATER.replace(
        "ball = 0.2\nposition = [0, 0.5, 0]",
        "box = [0.1, { between = [0.1, 0.2] }, 0.1]\narrange = { grid = [3, 2, 1], step = [0.3, 0.4, 0] }\nposition = [0, 0.2, 0]",
    );
    assert_ne!(stack, WATER);
    let scene = read(&stack).unwrap();
    let plan = layout(&scene, 1);
    let first: Vec<Particle> = plan.particles.iter().copied().filter(|p| p.birth == 0).collect();
    assert!(plan.particles.len() <= scene.most_particles());
    let mut sizes = Vec::new();
    for (x, y) in [(-0.3, 0.2), (0.0, 0.2), (0.3, 0.2), (-0.3, 0.6), (0.0, 0.6), (0.3, 0.6)] {
        let near = |p: &&Particle| (p.position[0] - x).abs() < 0.0501 && (p.position[1] - y).abs() < 0.1001;
        sizes.push(first.iter().filter(near).count());
    }
    assert_eq!(sizes.iter().sum::<usize>(), first.len() - 1, "all but the emitter's: {sizes:?}");
    assert!(sizes.iter().all(|size| (64..=128).contains(size)) && sizes.iter().any(|size| *size != sizes[0]));
    for (from, to, field) in [
        ("step = [0.3, 0.4, 0]", "step = [0.5, 0.4, 0]", "matter[0].position"),
        ("step = [0.3, 0.4, 0]", "step = [0.3, -0.4, 0]", "matter[0].position"),
        ("grid = [3, 2, 1]", "grid = [3, 2, { between = [1, 2] }]", "matter[0].arrange.grid[2]"),
        ("grid = [3, 2, 1]", "grid = [40, 20, 40]", "matter[0].arrange.grid"),
    ] {
        let error = read(&stack.replacen(from, to, 1)).unwrap_err();
        assert_eq!(error.field, field, "{error}");
    }
}

/// What is unseen is not drawn, and bands are of the palette's colours alone, there and back again.
#[test]
fn colours_come_in_bands_and_walls_are_unseen() {
    let body = BALLS.replace("arrange = { row = { param = \"count\" }", "arrange = { row = 13")
        + "[[bodies]]\nshape = { box = [1, 1, 1] }\nposition = [0, 9, 0]\nfixed = true\nlook = \"wall\"\n";
    let banded = HEAD.replace("color = 0\n", "color = { by = \"order\", bands = 13 }\n")
        + "\n[looks.wall]\nmaterial = \"unseen\"\ncolor = 0\n";
    let document = import(&(banded.trim_start().to_owned() + &body), &mut Files::default()).unwrap();
    let recipe = Recipe::of_scene(document, Seed::from(7), Film::DRAFT).unwrap();
    let (scenario, genome) = resolve(&recipe).unwrap();
    let snapshot = scenario.world(&genome, Backend::Cpu).unwrap().snapshot().unwrap();
    let values: Vec<f32> = snapshot.iter().map(|number| *number as f32).collect();
    let scene = scenario.stage(&genome).scene(0.0, &values, &vec![0.0; values.len()]);
    // The floor, and thirteen balls.
    let tints: Vec<_> = scene.instances[1..].iter().map(|instance| instance.tint).collect();
    assert_eq!(tints.len(), 13);
    let inks = seedstorm_sim::palette::Palette::named("ember").colors;
    for (tint, ink) in tints.iter().zip([0, 1, 2, 3, 2, 1, 0, 1, 2, 3, 2, 1, 0]) {
        assert_eq!(*tint, inks[ink]);
    }
}

/// However a seed decides, the plunge can be laid out, and its coarsest form is small.
#[test]
fn a_plunge_can_be_had_quickly() {
    let text = include_str!("../src/scenario/authored/plunge.toml");
    let scene = Blueprint::read(&import(text, &mut Files::default()).unwrap()).unwrap();
    let coarse = [("coarse".to_owned(), seedstorm_sim::recipe::ParamValue::Number(5.0))].into();
    for seed in 0..100 {
        let plan = Layout::new(&scene, &scene.genome(&Seed::from(seed), &coarse).unwrap());
        let elements = plan.bodies.len() + plan.particles.len();
        assert!((200..=4096).contains(&elements) && plan.steps <= 2000, "seed {seed}: {elements}");
    }
    let whole = layout(&scene, 1);
    assert!((100_000..270_000).contains(&whole.particles.len()), "{}", whole.particles.len());
}

/// Water with something light and something heavy in it, beside a jelly and a heap of sand, and more of it coming.
const POOL: &str = r#"
[tank]
size = [1, 0.6, 0.6]
cell = 0.05

[materials.water]
kind = "liquid"
look = "red"

[materials.jelly]
kind = "jelly"
shear = 1
bulk = 3
look = "red"

[materials.sand]
kind = "grains"
look = "red"

[[matter]]
material = "water"
box = [0.6, 0.25, 0.6]
position = [-0.2, 0.125, 0]

[[matter]]
material = "jelly"
box = [0.15, 0.15, 0.15]
position = [0.25, 0.35, 0.1]

[[matter]]
material = "sand"
ball = 0.1
position = [0.3, 0.15, -0.15]

[[emitters]]
material = "water"
disc = 0.05
position = [0.1, 0.5, 0]
velocity = [-0.5, -1, 0]
rate = 300
until = 0.3

[[bodies]]
shape = { box = [0.2, 0.2, 0.2] }
position = [-0.2, 0.4, 0]
density = 300
look = "red"

[[bodies]]
shape = { ball = 0.08 }
position = [0.25, 0.5, 0.1]
density = 5000
look = "red"

[[bodies]]
shape = { ball = 0.06 }
position = [-0.4, 0.45, 0.2]
velocity = [-3, 0, 1]
density = 400
look = "red"
"#;

#[test]
fn bodies_float_and_sink() {
    let recipe = recipe(POOL, &mut Files::default());
    let run = simulate(&recipe, Backend::Cpu, &mut |_, _| true).unwrap();
    let trajectory = &run.trajectory;
    let last = trajectory.snapshot(trajectory.snapshots() - 1).unwrap();
    let height = |body: usize| last[trajectory.elements() + body] as f32 / 16384.0;
    // The water's level comes to about 0.15 m, with a third of the box below it.
    assert!((0.12..0.30).contains(&height(0)), "the box is at {}", height(0));
    assert!(height(1) < 0.2, "the ball is at {}", height(1));
    // What was thrown at the walls is still between them.
    for (channel, half) in [(0, 0.5), (2, 0.3)] {
        let place = last[channel * trajectory.elements() + 2] as f32 / 16384.0;
        assert!(place.abs() < half, "{place}");
    }
    let born = last[3 * trajectory.elements() + 3..4 * trajectory.elements()].iter().sum::<i32>();
    assert_eq!(born as usize, trajectory.elements() - 3, "all are there in the end");
}

#[test]
fn what_is_too_stiff_for_its_cells_is_refused() {
    let error = read(&POOL.replace("shear = 1\n", "shear = 900\n")).unwrap_err();
    assert_eq!(error.field, "materials.jelly");
    assert!(error.to_string().contains("too stiff"), "{error}");
}

/// The tank's cells follow a parameter, so that the same world can be had with few particles.
#[test]
fn cells_may_follow_a_parameter() {
    let param = "[params.coarse]\nabout = \"how coarse\"\nusual = [1, 1]\nmax = 2\ninteger = true\n";
    let pool = POOL.replace("cell = 0.05", "cell = { param = \"coarse\", times = 0.025 }") + param;
    let scene = read(&pool).unwrap();
    let at = |coarse: f64| {
        let value = seedstorm_sim::recipe::ParamValue::Number(coarse);
        Layout::new(&scene, &scene.genome(&Seed::from(7), &[("coarse".to_owned(), value)].into()).unwrap())
    };
    let tanks = [1.0, 2.0].map(|coarse| at(coarse).tank.unwrap());
    assert_eq!(tanks.map(|tank| tank.cells), [[40, 24, 24], [20, 12, 12]]);
    let still = |plan: Layout| plan.particles.iter().filter(|p| p.birth == 0).count();
    let counts = [1.0, 2.0].map(|coarse| still(at(coarse)));
    assert!((7.0..9.0).contains(&(counts[0] as f64 / counts[1] as f64)), "{counts:?}");
    assert!(at(1.0).particles.len() <= scene.most_particles());
    // Every value is looked at: the fewest cells, where matter stands, how stiff it is, and how much of it there is.
    for (from, to, field) in [
        ("max = 2", "max = 4", "tank.cell"),
        ("integer = true", "min = 0.9", "tank.cell"),
        ("{ param = \"coarse\", times = 0.025 }", "{ between = [0.02, 0.03] }", "tank.cell"),
        ("position = [-0.2, 0.125, 0]", "position = [-0.205, 0.125, 0]", "matter[0].position"),
        ("shear = 1\n", "shear = 6\n", "materials.jelly"),
    ] {
        let body = pool.replacen(from, to, 1);
        assert_ne!(body, pool);
        let error = read(&body).expect_err(to);
        assert_eq!(error.field, field, "{error}");
    }
}

/// Without a rate, an emitter gives off as much as flows through its mouth at rest density.
#[test]
fn an_emitter_fills_its_jet() {
    let scene = read(&WATER.replace("rate = 100\n", "")).unwrap();
    let plan = layout(&scene, 1);
    let jet = plan.particles.iter().filter(|p| p.velocity[1] < 0.0).count();
    let flow = std::f64::consts::PI * 0.05 * 0.05 * 1.0 * 0.5;
    assert!((jet as f64 / (flow / (0.025 * 0.025 * 0.025)) - 1.0).abs() < 0.02, "{jet}");
    assert!(plan.particles.len() <= scene.most_particles());
}

#[test]
fn what_is_there_may_depend_on_a_trait() {
    let only = |option: &str| format!("look = \"red\"\nwhen = {{ trait = \"mood\", is = [\"{option}\"] }}");
    let wild = BALLS.replace("look = \"red\"", &only("wild"));
    let calm = BALLS.replace("name = \"ball\"", "name = \"other\"").replace("look = \"red\"", &only("calm"));
    let many = |text: &str| text.replace("{ param = \"count\" }", "4000").replace("[0.5, 0, 0]", "[0.1, 0, 0]");
    // Each as many as there may be: they are never there together.
    let scene = read(&(many(&wild) + &many(&calm))).unwrap();
    assert_eq!(scene.bodies(), [0, 4000]);
    for seed in 0..20 {
        let bodies = layout(&scene, seed).bodies;
        assert_eq!(bodies.len(), 4000);
        assert!(bodies.iter().all(|body| body.group == bodies[0].group));
    }
    let chain = "[[joints]]\nkind = \"ball\"\nchain = \"ball\"\n";
    let scene = read(&format!("{wild}{calm}{chain}")).unwrap();
    let plans: Vec<_> = (0..20).map(|seed| layout(&scene, seed)).collect();
    assert!(plans.iter().any(|plan| plan.joints.is_empty()) && plans.iter().any(|plan| !plan.joints.is_empty()));
    let between = chain.replace("chain = \"ball\"", "between = [\"ground\", \"ball[0]\"]");
    let wrong = [
        (format!("{wild}{between}"), "joints[0].between[1]"),
        (wild.replace("[\"wild\"]", "[\"mild\"]"), "bodies[0].when.is[0]"),
        (wild.replace("[\"wild\"]", "[]"), "bodies[0].when.is"),
        (wild.replace("trait = \"mood\", is", "trait = \"tone\", is"), "bodies[0].when.trait"),
        (wild.replace("[\"wild\"]", "[\"wild\", \"wild\"]"), "bodies[0].when.is"),
        (many(&wild) + &many(&wild.replace("\"ball\"", "\"more\"")), "bodies[1]"),
    ];
    for (body, field) in wrong {
        assert_eq!(read(&body).unwrap_err().field, field);
    }
    // A seed for which nothing is there has no world.
    let mut files = Files::default();
    let mut empty = recipe(&wild, &mut files);
    empty.params.insert("mood".into(), seedstorm_sim::recipe::ParamValue::Text("calm".into()));
    let error = simulate(&empty, Backend::Cpu, &mut |_, _| true).unwrap_err();
    assert!(matches!(error, seedstorm_sim::SimError::Empty), "{error}");
    // Matter too, and what it is made of.
    let water = WATER.replace("ball = 0.2", "ball = 0.2\nwhen = { trait = \"mood\", is = [\"calm\"] }").replace(
        "[[matter]]\nmaterial = \"water\"",
        "[materials.honey]\nkind = \"liquid\"\nviscosity = 500\nlook = \"red\"\n\n[[matter]]\nmaterial = { trait = \"mood\", calm = \"honey\", wild = \"water\" }",
    );
    let scene = read(&water).unwrap();
    for seed in 0..20 {
        let genome = scene.genome(&Seed::from(seed), &BTreeMap::new()).unwrap();
        let plan = Layout::new(&scene, &genome);
        let honey = plan.particles.iter().filter(|p| p.material == 0).count();
        assert_eq!(honey > 0, genome.text("mood") == "calm");
        assert_eq!(plan.particles.len() - honey, 50, "what the emitter gives off");
    }
}

#[test]
fn bodies_stand_in_towers_and_along_spirals() {
    let towers = BALLS
        .replace(
            "{ row = { param = \"count\" }, step = [0.5, 0, 0] }",
            "{ towers = [3, 2], storeys = { between = [0, 4] }, step = [1, 0.5, 1] }",
        )
        .replace("name = \"ball\"", "stands = true")
        .replace("{ trait = \"mood\", calm = 0.1, wild = { between = [0.05, 0.2] } }", "0.25")
        .replace("{ normal = [0, 0.01] }, { param = \"height\" }, { between = [-0.1, 0.1] }", "0, 0, 0");
    let scene = read(&towers).unwrap();
    assert_eq!(scene.bodies(), [0, 24]);
    let plans: Vec<_> = (0..20).map(|seed| layout(&scene, seed).bodies).collect();
    assert!(plans.iter().any(|bodies| bodies.len() != plans[0].len()));
    for body in plans.iter().flatten() {
        let storey = (body.position[1] - 0.25) / 0.5;
        assert!(storey == storey.round() && (0.0..=3.0).contains(&storey), "{storey}");
        assert!([-1.0, 0.0, 1.0].contains(&body.position[0]) && body.position[2].abs() == 0.5);
    }
    let spiral = BALLS
        .replace("{ row = { param = \"count\" }, step = [0.5, 0, 0] }", "{ spiral = 60, radius = [0.2, 2], turns = 3 }")
        .replace("{ normal = [0, 0.01] }, { param = \"height\" }, { between = [-0.1, 0.1] }", "0, 1, 0");
    let bodies = layout(&read(&spiral).unwrap(), 1).bodies;
    let apart = |pair: &[seedstorm_sim::scenario::authored::Body]| {
        let [x, z] = [0, 2].map(|i| pair[1].position[i] - pair[0].position[i]);
        // How far it is to the next, and how much of that along the body's own x.
        let ahead = pair[0].turn() * nalgebra::Vector3::x();
        [(x * x + z * z).sqrt(), x * ahead.x + z * ahead.z]
    };
    let ways: Vec<_> = bodies.windows(2).map(apart).collect();
    let mean = ways.iter().map(|[way, _]| way).sum::<f32>() / ways.len() as f32;
    assert_eq!(bodies.len(), 60);
    assert!(ways.iter().all(|[way, ahead]| (way / mean - 1.0).abs() < 0.1 && *ahead > 0.7 * way), "{ways:?}");
    let end = bodies[59].position;
    assert!((end[0] - 2.0).abs() < 1e-3 && end[2].abs() < 1e-3, "{end:?}");
}

/// A cube of the given edge as glTF: JSON, with its bytes in a data URI, in the file `uri`, or behind it in a .glb.
fn cube(edge: f32) -> (serde_json::Value, Vec<u8>) {
    let mut bin = Vec::new();
    for corner in 0..8 {
        for axis in 0..3 {
            bin.extend((if corner >> axis & 1 == 1 { edge } else { 0.0_f32 }).to_le_bytes());
        }
    }
    let faces: [[u16; 3]; 12] = [
        [0, 2, 1],
        [1, 2, 3],
        [4, 5, 6],
        [5, 7, 6],
        [0, 1, 4],
        [1, 5, 4],
        [2, 6, 3],
        [3, 6, 7],
        [0, 4, 2],
        [2, 4, 6],
        [1, 3, 5],
        [3, 7, 5],
    ];
    bin.extend(faces.iter().flatten().flat_map(|i| i.to_le_bytes()));
    let json = serde_json::json!({
        "asset": { "version": "2.0" },
        "scene": 0,
        "scenes": [{ "nodes": [0] }],
        "nodes": [{ "mesh": 0 }],
        "meshes": [{ "primitives": [{ "attributes": { "POSITION": 0 }, "indices": 1 }] }],
        "accessors": [
            { "bufferView": 0, "componentType": 5126, "count": 8, "type": "VEC3" },
            { "bufferView": 1, "componentType": 5123, "count": 36, "type": "SCALAR" }
        ],
        "bufferViews": [
            { "buffer": 0, "byteOffset": 0, "byteLength": 96 },
            { "buffer": 0, "byteOffset": 96, "byteLength": 72 }
        ],
        "buffers": [{ "uri": "cube.bin", "byteLength": 168 }]
    });
    (json, bin)
}

fn glb(json: &serde_json::Value, bin: &[u8]) -> Vec<u8> {
    let mut text = json.to_string().into_bytes();
    text.resize(text.len().next_multiple_of(4), b' ');
    let mut bytes = b"glTF".to_vec();
    let length = 12 + 8 + text.len() + 8 + bin.len();
    bytes.extend([2, length as u32, text.len() as u32, 0x4E4F_534A].iter().flat_map(|n| n.to_le_bytes()));
    bytes.extend(text);
    bytes.extend([bin.len() as u32, 0x004E_4942].iter().flat_map(|n| n.to_le_bytes()));
    bytes.extend(bin);
    bytes
}

const MESH: &str = r#"
[meshes.rock]
file = "shapes/cube.gltf"
pieces = 4

[[bodies]]
shape = { mesh = "rock", scale = 0.5 }
position = [0, 1, 0]
look = "red"
"#;

#[test]
fn meshes_are_taken_apart_and_travel_in_the_document() {
    let (json, bin) = cube(1.0);
    let files = [("shapes/cube.gltf", json.to_string().into_bytes()), ("shapes/cube.bin", bin.clone())];
    let mut files = Files(files.into());
    let scene = read_with(MESH, &mut files).unwrap();
    assert!((1..=4).contains(&scene.convex_pieces()), "{}", scene.convex_pieces());
    // A hull alone, from one binary file.
    let mut alone = json.clone();
    alone["buffers"][0].as_object_mut().unwrap().remove("uri");
    let one = MESH.replace("pieces = 4\n", "").replace("cube.gltf", "cube.glb");
    let document =
        import(&format!("{}{one}", HEAD.trim_start()), &mut Files([("shapes/cube.glb", glb(&alone, &bin))].into()))
            .unwrap();
    assert_eq!(Blueprint::read(&document).unwrap().convex_pieces(), 1);
    // What a recipe carries is read as strictly as a file.
    let text = String::from_utf8(document.canonical()).unwrap();
    for (from, to) in [
        ("\"points\":\"", "\"points\":\"!"),
        ("\"points\":\"", "\"points\":\"AAAA"),
        ("\"faces\":\"", "\"faces\":\"//8A"),
    ] {
        let bad: Document = serde_json::from_str(&text.replacen(from, to, 1)).unwrap();
        let error = Blueprint::read(&bad).unwrap_err();
        assert!(error.field.starts_with("meshes.rock.pieces[0]"), "{error}");
    }
}

#[test]
fn hostile_meshes_are_refused_with_their_line() {
    let (json, bin) = cube(1.0);
    let read_cube = |json: &serde_json::Value, bin: &[u8]| {
        let files = [("shapes/cube.gltf", json.to_string().into_bytes()), ("shapes/cube.bin", bin.to_vec())];
        read_with(MESH, &mut Files(files.into()))
    };
    let huge = u64::from(u32::MAX) << 20;
    let changes: [(&str, serde_json::Value, &str); 16] = [
        ("/buffers/0/byteLength", huge.into(), "buffer"),
        ("/buffers/0/byteLength", 4000.into(), "shorter"),
        ("/buffers/0/uri", "../cube.bin".into(), "folder"),
        ("/buffers/0/uri", "/etc/passwd".into(), "folder"),
        ("/buffers/0/uri", "http://example.org/cube.bin".into(), "folder"),
        ("/buffers/0/uri", "data:application/octet-stream;base64,AAAA".into(), "shorter"),
        ("/accessors/0/count", huge.into(), "vertices"),
        ("/accessors/0/count", 9.into(), "outside"),
        ("/accessors/0/byteOffset", huge.into(), "outside"),
        ("/accessors/0/componentType", 5123.into(), "form"),
        ("/accessors/1/count", 35.into(), "triangles"),
        ("/bufferViews/1/byteLength", huge.into(), "outside"),
        ("/bufferViews/0/byteOffset", huge.into(), "outside"),
        ("/nodes/0", serde_json::json!({ "children": [0] }), "themselves"),
        ("/meshes/0/primitives/0/mode", 1.into(), "triangles"),
        ("/asset/version", "1.0".into(), "version"),
    ];
    for (place, value, word) in changes {
        let mut bad = json.clone();
        match bad.pointer_mut(place) {
            Some(there) => *there = value,
            None => {
                let (parent, name) = place.rsplit_once('/').unwrap();
                bad.pointer_mut(parent).unwrap()[name] = value;
            }
        }
        let error = read_cube(&bad, &bin).expect_err(place);
        assert_eq!(error.field, "meshes.rock.file", "{error}");
        assert_eq!(error.place.unwrap().line, line_of(MESH, "file ="), "{error}");
        assert!(error.reason.contains(word), "{place}: {error}");
    }
    let mut flat = bin.clone();
    flat.chunks_exact_mut(12).take(8).for_each(|corner| corner[8..12].fill(0));
    assert!(read_cube(&json, &flat).unwrap_err().reason.contains("thin"));
    let mut endless = bin.clone();
    endless[..4].copy_from_slice(&f32::NAN.to_le_bytes());
    assert!(read_cube(&json, &endless).unwrap_err().reason.contains("finite"));
    let mut alone = json.clone();
    alone["buffers"][0].as_object_mut().unwrap().remove("uri");
    let whole = glb(&alone, &bin);
    for cut in [3, 11, 15, 40, whole.len() - 1] {
        let files = [("shapes/cube.gltf", whole[..cut].to_vec())];
        assert_eq!(read_with(MESH, &mut Files(files.into())).unwrap_err().field, "meshes.rock.file");
    }
    for path in
        ["../cube.gltf", "/cube.gltf", "shapes/../../cube.gltf", "C:/cube.gltf", "shapes\\cube.gltf", "", "a//b", "./a"]
    {
        let body = MESH.replace("shapes/cube.gltf", &path.replace('\\', "\\\\"));
        let error = read(&body).unwrap_err();
        assert_eq!(error.field, "meshes.rock.file", "{error}");
        assert!(error.reason.contains("folder"), "{error}");
    }
}

/// Whatever stands in whatever water: it is not in the water at first, and all of it can be had small.
#[test]
fn the_flood_is_beside_what_it_sweeps() {
    use seedstorm_sim::{recipe::ParamValue, scenario::authored::BodyShape};
    let document = Document::from_toml(include_str!("../src/scenario/authored/flood.toml")).unwrap();
    let scene = Blueprint::read(&document).unwrap();
    assert!(scene.steps() <= 2000);
    for built in ["city", "fleet", "spiral", "babel", "hall", "fort", "monoliths"] {
        for wave in ["dam", "pincer", "drop", "siege", "torrent"] {
            let text = |name: &str, value: &str| (name.to_owned(), ParamValue::Text(value.to_owned()));
            let over = [text("built", built), text("wave", wave), ("coarse".to_owned(), ParamValue::Number(5.0))];
            let plan = Layout::new(&scene, &scene.genome(&Seed::from(3), &over.into()).unwrap());
            let elements = plan.bodies.len() + plan.particles.len();
            assert!(!plan.bodies.is_empty() && plan.particles.len() > 500 && elements <= 4096, "{built}, {wave}");
            for body in &plan.bodies {
                let turn = body.turn();
                let inside = |p: &&Particle| {
                    let away: [f32; 3] = std::array::from_fn(|i| p.position[i] - body.position[i]);
                    let [x, y, z] = turn.inverse_transform_vector(&away.into()).into();
                    match body.shape {
                        BodyShape::Box(half) => x.abs() < half[0] && y.abs() < half[1] && z.abs() < half[2],
                        BodyShape::Ball(radius) => x * x + y * y + z * z < radius * radius,
                        BodyShape::Cylinder { half_height, radius } => {
                            y.abs() < half_height && x * x + z * z < radius * radius
                        }
                        _ => unreachable!("the flood has none"),
                    }
                };
                assert_eq!(plan.particles.iter().find(inside), None, "{built}, {wave}: in {:?}", body.shape);
            }
        }
    }
}

/// A genome is only of use with the traits that the scene declares.
#[test]
fn overrides_are_checked_against_what_a_scene_declares() {
    let scene = read(BALLS).unwrap();
    let over = |name: &str, value: seedstorm_sim::recipe::ParamValue| -> Result<Genome, _> {
        scene.genome(&Seed::from(1), &[(name.to_owned(), value)].into())
    };
    use seedstorm_sim::recipe::ParamValue::{Number, Text};
    assert!(over("height", Number(4.0)).is_ok());
    assert!(over("height", Number(4.1)).is_err());
    assert!(over("mood", Text("wild".into())).is_ok());
    assert!(over("mood", Text("bright".into())).is_err());
    assert!(over("colour", Number(1.0)).is_err());
}

/// Falls, hangs, is pushed: small enough to be run again and again.
const WORLD: &str = r#"
[ground]
friction = 0.7

[[forces]]
center = [0, 1, 0]
keys = [{ at = 0.2 }, { at = 0.4, swirl = [0, 20, 0], drag = 0.5 }]

[[bodies]]
name = "bead"
shape = { ball = 0.05 }
arrange = { grid = [3, 4, 1], step = [0.3, -0.12, 1] }
position = [0, 2, 0]
look = "red"

[[bodies]]
shape = { box = [0.2, { between = [0.1, 0.2] }, 0.3] }
arrange = { ring = 6, radius = 0.5, courses = 3, rise = 0.25 }
position = [0, 0.3, 0]
turn = [{ normal = [0, 5] }, 0, 0]
look = "red"

[[bodies]]
name = "door"
shape = { cylinder = [0.2, 0.1] }
arrange = { wall = [2, 2, 1], step = [0.5, 0.2, 1] }
position = [0, 1.2, -1]
asleep = true
look = "red"

[[joints]]
kind = "ball"
chain = "bead"
along = "y"
hang = true

[[joints]]
kind = "hinge"
between = ["ground", "door[0]"]
axis = [0, 1, 0]
limits = [-90, 90]

[[joints]]
kind = "slider"
between = ["door[1]", "door[0]"]
axis = [1, 0, 0]
limits = [-0.1, 0.1]
"#;

fn recipe(body: &str, files: &mut Files) -> Recipe {
    let document = import(&format!("{}{body}", HEAD.trim_start()), files).unwrap();
    Recipe::of_scene(document, Seed::from(7), Film::DRAFT).unwrap()
}

fn meshes() -> Files {
    let (json, bin) = cube(0.4);
    Files([("shapes/cube.gltf", json.to_string().into_bytes()), ("shapes/cube.bin", bin)].into())
}

/// See `golden.rs` for what these are, and what it means when they fail.
#[test]
fn worlds_are_what_they_were() {
    let [of_shapes, of_matter] = [WORLD, POOL].map(|scene| recipe(scene, &mut Files::default()));
    let of_meshes = recipe(MESH, &mut meshes());
    let run = |recipe: &Recipe| {
        let run = simulate(recipe, Backend::Cpu, &mut |_, _| true).unwrap();
        (run.sim_root.to_string(), blake3::hash(run.trajectory.as_bytes()).to_string())
    };
    let expected = [
        (
            "1fabd945cf2c67aa4b40ea0a7c66e232231eda83bc6a29876d5ab7e875e6bf75",
            "f3bd11255be5ca9ce3c479014548dbbec7107e795c9d283fe1602495eadfdd41",
        ),
        (
            "c4c20696c6e21e905a399ce4a16e8fbdcf5f70016717ea7e3ab422b04ed4a4e5",
            "219586b363a8a4c5e4b7bce8f1f965d1e8ecb80c4266ffea091a9cdd60c1d734",
        ),
        (
            "e2134a5f4a380d3009a950e9d0dbc6bf98ea62e9c3174606c3360f680b960dba",
            "c2186e8a1fa34b92c725d6f74fa19274db29f7e052127d53a38889e7f9e0bd33",
        ),
    ];
    for (recipe, (root, trajectory)) in [of_shapes, of_meshes, of_matter].iter().zip(expected) {
        let found = run(recipe);
        if std::env::var_os("SEEDSTORM_GOLDEN").is_some() {
            println!("{found:?}");
            continue;
        }
        assert_eq!(found, (root.to_owned(), trajectory.to_owned()));
        for threads in [1, 2, 8] {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            assert_eq!(pool.install(|| run(recipe)), found, "{threads} threads");
        }
    }
}

#[test]
fn every_segment_leads_to_the_next_checkpoint() {
    for scene in [WORLD, POOL] {
        let recipe = recipe(scene, &mut Files::default());
        let (scenario, genome) = resolve(&recipe).unwrap();
        let plan = scenario.plan(&genome);
        let mut world = scenario.world(&genome, Backend::Cpu).unwrap();
        let mut states = vec![world.checkpoint().unwrap()];
        for _ in 0..plan.steps / plan.checkpoint_every {
            world.advance(plan.checkpoint_every).unwrap();
            states.push(world.checkpoint().unwrap());
        }
        let mut replayer = Replayer::new(&recipe, Backend::Cpu).unwrap();
        for segment in (0..replayer.segments()).rev() {
            let replayed = replayer.replay(segment, &states[segment as usize]).unwrap();
            assert!(replayed.checkpoint == states[segment as usize + 1], "segment {segment}");
        }
    }
}

/// A recipe that carries a scene is read as strictly as any, and its world depends on the scene.
#[test]
fn recipes_carry_scenes() {
    let with = recipe(WORLD, &mut Files::default());
    let read = Recipe::from_json(&with.canonical()).unwrap();
    assert_eq!(read, with);
    assert_eq!((read.cid(), read.world_id()), (with.cid(), with.world_id()));
    let other = recipe(&WORLD.replace("friction = 0.7", "friction = 0.71"), &mut Files::default());
    assert_ne!(other.world_id(), with.world_id());
    let text = String::from_utf8(with.canonical()).unwrap();
    for (from, to, word) in [
        ("\"ball\":0.05", "\"ball\":-0.05", "bodies[0].shape.ball"),
        ("\"ball\":0.05", "\"ball\":1e999", "scene"),
        ("\"ball\":0.05", "\"ball\":null", "scene"),
        ("\"ball\":0.05", "\"ball\":0.05,\"ball\":0.05", "scene"),
        ("\"scene@1\"", "\"bloom@1\"", "scene"),
    ] {
        let bad = text.replacen(from, to, 1);
        assert_ne!(bad, text);
        let refused = Recipe::from_json(bad.as_bytes()).and_then(|recipe| resolve(&recipe).map(drop)).unwrap_err();
        assert!(refused.to_string().contains(word), "{refused}");
    }
}

/// A few hundred bytes that would take a machine's memory and hours.
#[test]
fn bodies_in_each_other_are_refused() {
    let heap = |row: u32, step: &str| {
        format!(
            "[[bodies]]\nshape = {{ ball = 0.5 }}\narrange = {{ row = {row}, step = {step} }}\nposition = [0, 1, 0]\nlook = \"red\"\n"
        )
    };
    let world = |body: &str| {
        let (scenario, genome) = resolve(&recipe(body, &mut Files::default())).unwrap();
        scenario.world(&genome, Backend::Cpu).map(drop).map_err(|error| error.to_string())
    };
    let refused = world(&heap(4096, "[0, 0, 0]")).unwrap_err();
    assert!(refused.contains("`bodies[0]`") && refused.contains("spread"), "{refused}");
    assert_eq!(world(&heap(4096, "[1.1, 0, 0]")), Ok(()));
    assert_eq!(world(&heap(700, "[0, 0, 0]")), Ok(()));
    let asleep = heap(4096, "[0, 0, 0]").replace("look", "asleep = true\nlook");
    assert!(world(&asleep).is_err());
}

/// Options may be called as the forms of a number are.
#[test]
fn options_are_no_words_of_the_format() {
    let head = HEAD
        .replace("calm = 60, wild = 40", "between = 60, param = 40")
        .replace("calm =", "between =")
        .replace("wild =", "param =");
    let body = BALLS.replace("calm =", "between =").replace("wild =", "param =");
    let document = import(&format!("{}{body}", head.trim_start()), &mut Files::default()).unwrap();
    Blueprint::read(&document).unwrap();
}

#[test]
fn chains_hold_and_stacks_stand() {
    let recipe = recipe(WORLD, &mut Files::default());
    let run = simulate(&recipe, Backend::Cpu, &mut |_, _| true).unwrap();
    let count = run.trajectory.elements();
    let last = run.trajectory.snapshot(run.trajectory.snapshots() - 1).unwrap();
    let place = |body: usize| [0, 1, 2].map(|channel| last[channel * count + body] as f32 / 16384.0);
    for strand in 0..3 {
        for row in 1..4 {
            let (a, b) = (place(strand + 3 * row), place(strand + 3 * (row - 1)));
            let apart = (0..3).map(|i| (a[i] - b[i]) * (a[i] - b[i])).sum::<f32>().sqrt();
            // Joined at points that lie halfway between them.
            assert!(apart < 0.125, "{apart}");
        }
    }
    assert!((0..count).all(|body| place(body)[1] > 0.02), "nothing falls through the floor");
}
