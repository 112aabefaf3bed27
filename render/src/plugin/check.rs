//! What an author runs before anybody else does: does a plug-in do what the protocol asks?

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use nalgebra::{Point3, Similarity3, Translation3, UnitQuaternion, Vector3};
use seedstorm_sim::scene::{AreaLight, Camera, Instance, Material, Mesh, Rgb, Scene, Shape, Sky};
use serde::Serialize;

use super::manifest::SCENE;
use super::protocol::{Format, Task, VERSION};
use super::scene_file::SceneFile;
use super::{Input, Picture, Plugin, PluginError, Sandbox, Watch};
use crate::frame::Rect;
use crate::image_file::Rgb8Image;
use crate::tone::{ToneCurve, develop};
use crate::{FrameSettings, PreparedScene};

/// Size of the pictures.
const SIZE: [u32; 2] = [120, 80];
/// The part that is drawn by itself.
const TILE: Rect = Rect { x: 30, y: 20, width: 56, height: 42 };
/// Paths a pixel.
const SAMPLES: u32 = 32;
/// Paths a pixel of a file.
const FILE_SAMPLES: u32 = 8;
/// Least correlation of brightness with our own picture.
const ALIKE: f32 = 0.85;
/// Most difference of a tile's mean from the same part of the whole.
const TILE_APART: f32 = 0.05;

/// One thing that was looked at.
#[derive(Debug, Serialize)]
pub struct Finding {
    /// What.
    pub what: &'static str,
    /// What is wrong; `None` where it is as it should be.
    pub problem: Option<String>,
}

/// What was found.
#[derive(Debug)]
pub struct Report {
    /// One thing after another.
    pub findings: Vec<Finding>,
    /// Its picture, where it drew one, to the right of ours.
    pub picture: Option<Rgb8Image>,
}

/// Goes through what a plug-in has to do, up to the first thing that all others need; `told` hears of each. `file` is one
/// that it reads, which a plug-in that reads files alone cannot do without; `stopped` ends it early.
pub fn check(
    plugin: &Plugin,
    sandbox: &Sandbox,
    file: Option<&Path>,
    told: &mut dyn FnMut(&Finding),
    stopped: fn() -> bool,
) -> Report {
    let mut findings = Findings { all: vec![], told, stopped };
    let picture = look(plugin, sandbox, file, &mut findings);
    Report { findings: findings.all, picture }
}

fn look(plugin: &Plugin, sandbox: &Sandbox, file: Option<&Path>, findings: &mut Findings<'_>) -> Option<Rgb8Image> {
    let digest = plugin.digest();
    let sealed = (digest != plugin.manifest().digest).then(|| format!("they have the digest {digest}"));
    findings.add("the files are those that the manifest speaks of", sealed);
    let installed = plugin.installed().map_err(|error| error.to_string());
    findings.result("the programs that it needs are installed", installed)?;
    let reads_scenes = plugin.manifest().reads.iter().any(|it| it == SCENE);
    let of_scenes = if reads_scenes { draw_scenes(plugin, sandbox, findings) } else { None };
    let of_file = match file {
        Some(file) => draw_file(plugin, sandbox, file, findings),
        None if reads_scenes => None,
        None => {
            findings.add("a file is given for it to draw", Some("it reads files alone: give one with --file".into()));
            None
        }
    };
    of_scenes.or(of_file)
}

/// Draws the first frame of a file, and the middle of it once more.
fn draw_file(plugin: &Plugin, sandbox: &Sandbox, file: &Path, findings: &mut Findings<'_>) -> Option<Rgb8Image> {
    let described = plugin.describe(sandbox, file, &mut || (findings.stopped)()).map_err(|error| error.to_string());
    let film = findings.result("it says what a file holds", described)?;
    let stopped = findings.stopped;
    let draw = |tile| {
        let task = Task::Render {
            protocol: VERSION,
            frames: vec![],
            size: None,
            samples: Some(FILE_SAMPLES),
            seed: 7,
            tile,
            format: Format::Png,
            threads: 2,
        };
        let mut taking = Taking { pictures: BTreeMap::new(), stopped };
        plugin
            .render(sandbox, &task, &[(film.frames[0], Input::File(file))], &mut taking)
            .map_err(|error| error.to_string())?;
        taking.pictures.pop_first().map(|(_, picture)| picture).ok_or_else(|| "there is no picture".to_owned())
    };
    let whole = draw(None).and_then(|picture| {
        let size = [picture.width, picture.height];
        if size == film.size {
            return Ok(picture);
        }
        let [[width, height], [said, high]] = [size, film.size];
        Err(format!("it is {width}x{height}, and the file is said to be {said}x{high}"))
    });
    let whole = findings.result("it draws the file's first frame", whole)?;
    let [width, height] = film.size;
    let tile = Rect { x: width / 4, y: height / 4, width: (width / 2).max(1), height: (height / 2).max(1) };
    if let Some(part) = findings.result("it draws a tile of it by itself", draw(Some(tile))) {
        let apart: f32 = (0..tile.height)
            .flat_map(|y| (0..tile.width).map(move |x| (x, y)))
            .map(|(x, y)| {
                let a = part.pixels[(y * tile.width + x) as usize];
                let b = whole.pixels[((y + tile.y) * width + x + tile.x) as usize];
                (0..3).map(|channel| (a[channel] - b[channel]).abs()).sum::<f32>() / 3.0
            })
            .sum();
        let apart = apart / (tile.width * tile.height) as f32;
        let problem =
            (apart > TILE_APART).then(|| format!("it is {:.1} % off that part of the whole frame", 100.0 * apart));
        findings.add("a tile shows that part of the frame", problem);
    }
    let nonsense = tempfile::Builder::new()
        .suffix(&format!(".{}", file.extension().unwrap_or_default().to_string_lossy()))
        .tempfile()
        .and_then(|broken| std::fs::write(broken.path(), [0x5a; 4096]).map(|()| broken));
    if let Some(broken) = findings.result("a broken file can be written", nonsense.map_err(|error| error.to_string())) {
        let refused = match plugin.describe(sandbox, broken.path(), &mut || (findings.stopped)()) {
            Err(PluginError::Failed { problem, .. }) if problem.starts_with("says: ") => None,
            Err(error) => Some(format!("it should say `error`, and {error}")),
            Ok(_) => Some("it described 4096 bytes of nonsense".into()),
        };
        findings.add("it says what it cannot read", refused);
    }
    Some(whole.shown())
}

fn draw_scenes(plugin: &Plugin, sandbox: &Sandbox, findings: &mut Findings<'_>) -> Option<Rgb8Image> {
    let scenes = [scene(0.0), scene(1.0)];
    let drawn = draw(plugin, sandbox, &scenes, None, findings.stopped).map_err(|error| error.to_string());
    let drawn = findings.result("it draws two frames of a scene", drawn)?;
    let ours: Vec<Vec<Rgb>> = scenes.iter().map(own).collect();
    let likeness = |theirs: usize, own: usize| correlation(&drawn[theirs].pixels, &ours[own]);
    let framing = (likeness(0, 0) < ALIKE).then(|| {
        format!(
            "brightness agrees with our picture by {:.2} of 1, {ALIKE} is asked: are camera, axes and rows right?",
            likeness(0, 0)
        )
    });
    findings.add("its picture is framed and lit as ours is", framing);
    let moves = (likeness(1, 1) <= likeness(1, 0)).then(|| "frame 1 looks like our frame 0".to_owned());
    findings.add("its frames show their own moments", moves);
    findings.add("its colours are those of the materials", colors(&drawn[0].pixels, &ours[0]));
    let tile = draw(plugin, sandbox, &scenes[..1], Some(TILE), findings.stopped).map_err(|error| error.to_string());
    if let Some(tile) = findings.result("it draws a tile by itself", tile) {
        let part = cut(&drawn[0].pixels);
        let apart = (mean(&tile[0].pixels) - mean(&part)).abs() / mean(&part);
        let alike = correlation(&tile[0].pixels, &part);
        let problem = (apart > TILE_APART || alike < ALIKE).then(|| {
            format!(
                "its mean is {:.1} % off that part of the whole frame, brightness agrees by {alike:.2}",
                100.0 * apart
            )
        });
        findings.add("a tile shows that part of the frame", problem);
    }
    let mut broken = SceneFile::new(&scenes[0], "0000.bin");
    broken.json["version"] = 9999.into();
    let refused = match ask(plugin, sandbox, &[(0, &broken)], None, findings.stopped) {
        Err(PluginError::Failed { problem, .. }) if problem.starts_with("says: ") => None,
        Err(error) => Some(format!("it should say `error`, and {error}")),
        Ok(_) => Some("it drew a scene of a version that there is not".into()),
    };
    findings.add("it says what it cannot read", refused);
    Some(side_by_side(&ours[0], &drawn[0].pixels))
}

fn side_by_side(left: &[Rgb], right: &[Rgb]) -> Rgb8Image {
    let [width, height] = SIZE.map(|n| n as usize);
    let rows = left.chunks(width).zip(right.chunks(width));
    let pixels: Vec<Rgb> = rows.flat_map(|(left, right)| left.iter().chain(right).copied()).collect();
    develop(&pixels, 2 * width, height, 0.0, ToneCurve::KhronosNeutral)
}

struct Findings<'a> {
    all: Vec<Finding>,
    told: &'a mut dyn FnMut(&Finding),
    stopped: fn() -> bool,
}

impl Findings<'_> {
    fn add(&mut self, what: &'static str, problem: Option<String>) {
        // What was stopped is not wrong.
        if (self.stopped)() {
            return;
        }
        let finding = Finding { what, problem };
        (self.told)(&finding);
        self.all.push(finding);
    }

    fn result<T>(&mut self, what: &'static str, result: Result<T, String>) -> Option<T> {
        let (found, problem) = match result {
            Ok(found) => (Some(found), None),
            Err(problem) => (None, Some(problem)),
        };
        self.add(what, problem);
        found
    }
}

struct Taking {
    pictures: BTreeMap<u32, Picture>,
    stopped: fn() -> bool,
}

impl Watch for Taking {
    fn reached(&mut self, _: f32) {}
    fn stopped(&mut self) -> bool {
        (self.stopped)()
    }
    fn frame(&mut self, number: u32, picture: Picture) -> Result<(), PluginError> {
        self.pictures.insert(number, picture);
        Ok(())
    }
}

fn draw(
    plugin: &Plugin,
    sandbox: &Sandbox,
    scenes: &[Scene],
    tile: Option<Rect>,
    stopped: fn() -> bool,
) -> Result<Vec<Picture>, PluginError> {
    let files: Vec<SceneFile> =
        scenes.iter().enumerate().map(|(number, scene)| SceneFile::new(scene, &format!("{number:04}.bin"))).collect();
    let inputs: Vec<(u32, &SceneFile)> = (0..).zip(&files).collect();
    ask(plugin, sandbox, &inputs, tile, stopped)
}

fn ask(
    plugin: &Plugin,
    sandbox: &Sandbox,
    scenes: &[(u32, &SceneFile)],
    tile: Option<Rect>,
    stopped: fn() -> bool,
) -> Result<Vec<Picture>, PluginError> {
    let task = Task::Render {
        protocol: VERSION,
        frames: vec![],
        size: Some(SIZE),
        samples: Some(SAMPLES),
        seed: 7,
        tile,
        format: Format::Exr,
        threads: 2,
    };
    let inputs: Vec<(u32, Input<'_>)> = scenes.iter().map(|(number, scene)| (*number, Input::Scene(scene))).collect();
    let mut taking = Taking { pictures: BTreeMap::new(), stopped };
    plugin.render(sandbox, &task, &inputs, &mut taking)?;
    Ok(taking.pictures.into_values().collect())
}

fn own(scene: &Scene) -> Vec<Rgb> {
    let settings = FrameSettings { width: SIZE[0], height: SIZE[1], samples: SAMPLES, ..FrameSettings::default() };
    let drawn = PreparedScene::new(scene).and_then(|it| it.render(&settings, &|_| {}, &AtomicBool::new(false)));
    drawn.expect("the scene below can be drawn").radiance
}

fn brightness(pixel: &Rgb) -> f32 {
    let y = 0.2126 * pixel[0] + 0.7152 * pixel[1] + 0.0722 * pixel[2];
    if y > 0.0 { y / (1.0 + y) } else { 0.0 }
}

fn mean(pixels: &[Rgb]) -> f32 {
    pixels.iter().map(brightness).sum::<f32>() / pixels.len() as f32
}

/// Pearson's.
fn correlation(a: &[Rgb], b: &[Rgb]) -> f32 {
    let (mean_a, mean_b) = (mean(a), mean(b));
    let (mut ab, mut aa, mut bb) = (0.0, 0.0, 0.0);
    for (a, b) in a.iter().zip(b) {
        let (x, y) = (brightness(a) - mean_a, brightness(b) - mean_b);
        (ab, aa, bb) = (ab + x * y, aa + x * x, bb + y * y);
    }
    if aa * bb > 0.0 { ab / (aa * bb).sqrt() } else { 0.0 }
}

fn cut(pixels: &[Rgb]) -> Vec<Rgb> {
    let rows = TILE.y..TILE.y + TILE.height;
    rows.flat_map(|y| {
        let from = (y * SIZE[0] + TILE.x) as usize;
        pixels[from..from + TILE.width as usize].iter().copied()
    })
    .collect()
}

/// Where ours is clearly of one colour, theirs has to be of the same.
fn colors(theirs: &[Rgb], ours: &[Rgb]) -> Option<String> {
    let most = |pixel: &Rgb| {
        let (at, x) =
            pixel.iter().copied().enumerate().fold((0, f32::MIN), |best, it| if it.1 > best.1 { it } else { best });
        let rest = pixel.iter().enumerate().filter(|(i, _)| *i != at).map(|(_, x)| *x).fold(0.0, f32::max);
        (x > 2.0 * rest && x > 0.02).then_some(at)
    };
    let (mut clear, mut same) = (0, 0);
    for (own, their) in ours.iter().zip(theirs) {
        if let Some(channel) = most(own) {
            clear += 1;
            let others = (0..3).filter(|i| *i != channel).map(|i| their[i]).fold(0.0, f32::max);
            same += usize::from(their[channel] > others);
        }
    }
    (same * 10 < clear * 9).then(|| {
        let share = 100 * same / clear.max(1);
        format!(
            "where ours are red, green or blue, only {share} % of its pixels are, 90 % are asked: are numbers linear?"
        )
    })
}

/// Balls, a box, a capsule and a floor; `time` moves a ball.
fn scene(time: f32) -> Scene {
    let bare = Material { ior: 1.0, roughness: 1.0, ..Material::default() };
    let materials = vec![Material { base_color: [0.7; 3], ..bare }, Material { base_color: [1.0; 3], ..bare }];
    let put = |shape, [x, y, z]: [f32; 3], material, tint| Instance {
        shape,
        pose: Similarity3::from_parts(
            Translation3::new(x, y, z),
            UnitQuaternion::from_axis_angle(&Vector3::y_axis(), 0.5),
            1.0,
        ),
        material,
        tint,
        emission: [0.0; 3],
    };
    let (a, b) = (-9.0, 9.0);
    let floor = Mesh {
        positions: vec![Point3::new(a, 0.0, b), Point3::new(b, 0.0, b), Point3::new(b, 0.0, a), Point3::new(a, 0.0, a)],
        triangles: vec![[0, 1, 2], [0, 2, 3]],
        ..Mesh::default()
    };
    Scene {
        camera: Camera {
            eye: Point3::new(1.2, 2.2, 6.0),
            target: Point3::new(0.0, 0.7, 0.0),
            up: Vector3::y(),
            vertical_fov: 0.6,
            lens_radius: 0.0,
            focus_distance: 6.0,
        },
        sky: Sky { zenith: [0.5, 0.5, 0.55], horizon: [0.4, 0.4, 0.42], nadir: [0.2; 3], backdrop: None },
        environment: None,
        sun: None,
        lights: vec![AreaLight {
            center: Point3::new(-3.0, 5.0, 3.0),
            u: Vector3::new(1.0, 0.0, 1.0),
            v: Vector3::new(-0.52, -0.72, 0.52),
            radiance: [14.0; 3],
            visible: false,
        }],
        materials,
        meshes: vec![Arc::new(floor)],
        instances: vec![
            put(Shape::Mesh(0), [0.0; 3], 0, [1.0; 3]),
            put(Shape::Sphere(0.7), [-1.6, 0.7 + 0.9 * time, 0.0], 1, [0.8, 0.05, 0.04]),
            put(Shape::Box(Vector3::new(0.5, 0.6, 0.4)), [0.1, 0.6, 0.0], 1, [0.05, 0.55, 0.08]),
            put(Shape::Capsule { half_height: 0.5, radius: 0.4 }, [1.6, 0.9, 0.0], 1, [0.04, 0.08, 0.8]),
        ],
        fluid: None,
        haze: None,
        fog: None,
        moved: vec![],
        exposure_stops: 0.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What every honest picture passes, and what others do not.
    #[test]
    fn ours_is_like_ours_and_not_like_another() {
        let pictures = [own(&scene(0.0)), own(&scene(1.0))];
        assert!(correlation(&pictures[0], &pictures[0]) > 0.999);
        let mut upside_down = pictures[0].clone();
        upside_down.reverse();
        assert!(correlation(&upside_down, &pictures[0]) < ALIKE);
        assert!(correlation(&pictures[1], &pictures[0]) < correlation(&pictures[1], &pictures[1]));
        assert_eq!(colors(&pictures[0], &pictures[0]), None);
        let swapped: Vec<Rgb> = pictures[0].iter().map(|[r, g, b]| [*b, *r, *g]).collect();
        assert!(colors(&swapped, &pictures[0]).is_some());
    }
}
