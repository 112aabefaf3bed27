//! Pictures of neutral scenes by other renderers, beside ours: `xtask/peers` and `render/examples/measure.rs`.

#![expect(clippy::disallowed_methods, reason = "what is measured is not the same everywhere anyway")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use miette::{IntoDiagnostic, Result, WrapErr, bail, miette};
use serde::Deserialize;

use crate::workspace::{Workspace, write_atomically};
use crate::{process, setup};

/// The version of `mitsuba` (PyPI) that pictures are held against, with what its script wants.
const MITSUBA: [&str; 2] = ["mitsuba==3.9.1", "numpy==2.4.6"];

/// Most scatterings of a path, as in `render/examples/measure.rs`.
const BOUNCES: &str = "5";

/// Regions in a row, and in a column.
const REGIONS: usize = 4;

/// How far the mean of a region may be from Mitsuba's, in each colour.
const APART: f64 = 0.01;

/// Paths a pixel of the pictures that CI compares: ours, and Mitsuba's.
const PATHS: [&str; 2] = ["1536", "1024"];

/// Samples that error is measured at, and those of each tracer's own reference.
const LADDER: &str = "4,16,64,256";
const REFERENCE: &str = "4096";

/// Turns that every tracer takes; the quickest counts.
const ROUNDS: u32 = 3;

/// Linear RGB, rows from the top.
type Picture = Vec<[f32; 3]>;

/// Draws a Cornell box by Mitsuba and by the canonical tracer without its biases, and compares them region by region.
///
/// # Errors
///
/// If a region differs by more than [`APART`], or something cannot be installed or run.
pub(crate) fn check_mitsuba(workspace: &Workspace) -> Result<String> {
    workspace.build()?;
    let folder = workspace.kept("peers/cornell");
    let scene = scene(workspace, "cornell", &folder)?;
    let (ours, theirs) = (folder.join("ours"), folder.join("mitsuba"));
    draw(workspace, "cornell", &ours, PATHS[0], "0")?;
    process::run(mitsuba(workspace, "scalar_rgb")?.arg(&scene).args(["--samples", PATHS[1], "--out"]).arg(&theirs))?;
    let [ours, theirs] =
        [(ours, PATHS[0]), (theirs, PATHS[1])].map(|(folder, paths)| picture(&folder.join(format!("{paths}.f32"))));
    let worst = worst_region(&ours?, &theirs?)?;
    if worst.is_nan() || worst > APART {
        bail!("a region of the Cornell box is {:.2} % from Mitsuba's", worst * 100.0);
    }
    Ok(format!("regions within {:.2} % of {}'s", worst * 100.0, MITSUBA[0]))
}

/// Writes a neutral scene for the peers.
fn scene(workspace: &Workspace, name: &str, folder: &Path) -> Result<PathBuf> {
    let json = process::capture(measure(workspace).args(["scene", name]))?;
    let path = folder.join("scene.json");
    write_atomically(&path, json.as_bytes())?;
    Ok(path)
}

/// Draws a scene by our tracer, with each of these samples.
fn draw(workspace: &Workspace, name: &str, out: &Path, samples: &str, seed: &str) -> Result<String> {
    process::capture(measure(workspace).args(["draw", name]).arg(out).args([samples, seed]))
}

fn measure(workspace: &Workspace) -> Command {
    Command::new(workspace.built(format!("release/examples/measure{}", std::env::consts::EXE_SUFFIX)))
}

fn mitsuba(workspace: &Workspace, variant: &str) -> Result<Command> {
    let python = setup::python_packages(&workspace.kept("mitsuba"), &MITSUBA)?.join("python");
    let mut command = Command::new(python);
    command.arg(workspace.path("xtask/peers/mitsuba_peer.py")).args(["--variant", variant, "--bounces", BOUNCES]);
    Ok(command)
}

fn picture(path: &Path) -> Result<Picture> {
    let bytes = fs::read(path).into_diagnostic().wrap_err_with(|| format!("cannot read {}", path.display()))?;
    let channels: Vec<f32> = bytes.as_chunks().0.iter().copied().map(f32::from_le_bytes).collect();
    Ok(channels.as_chunks().0.to_vec())
}

/// The largest relative difference of a region's mean in a colour.
fn worst_region(ours: &Picture, theirs: &Picture) -> Result<f64> {
    let size = ours.len().isqrt();
    if size < REGIONS || size * size != ours.len() || ours.len() != theirs.len() {
        return Err(miette!("pictures of {} and {} pixels", ours.len(), theirs.len()));
    }
    let mut sums = vec![[[0.0; 2]; 3]; REGIONS * REGIONS];
    for (at, pair) in ours.iter().zip(theirs).enumerate() {
        let region = at / size * REGIONS / size * REGIONS + at % size * REGIONS / size;
        for (channel, sum) in sums[region].iter_mut().enumerate() {
            sum[0] += f64::from(pair.0[channel]);
            sum[1] += f64::from(pair.1[channel]);
        }
    }
    let apart = sums.iter().flatten().map(|[ours, theirs]| (ours / theirs - 1.0).abs());
    // What is no number is the worst.
    Ok(apart.max_by(f64::total_cmp).unwrap_or(f64::NAN))
}

/// How the error of a tracer falls with time.
#[derive(Debug)]
pub(crate) struct Curve {
    /// Whose.
    pub(crate) name: String,
    /// Seconds, and the root of the mean square error as a share of the picture's mean.
    pub(crate) points: Vec<[f64; 2]>,
    /// The picture's mean.
    pub(crate) mean: f64,
}

impl Curve {
    /// Seconds to this error: between two points, or on from the nearest, along straight lines of logarithms.
    pub(crate) fn seconds_to(&self, error: f64) -> f64 {
        let points: Vec<[f64; 2]> = self.points.iter().map(|[s, e]| [s.ln(), e.ln()]).collect();
        let wanted = error.ln();
        let after = points.iter().position(|[_, e]| *e <= wanted).unwrap_or(points.len());
        let at = after.clamp(1, points.len() - 1);
        let ([s0, e0], [s1, e1]) = (points[at - 1], points[at]);
        (s0 + (wanted - e0) / (e1 - e0) * (s1 - s0)).exp()
    }
}

#[derive(Debug, Clone, Copy)]
enum Tracer {
    Ours,
    /// With spheres as points of a cloud, which it meets as spheres.
    Cycles,
    /// With spheres as instances of a mesh, as a modeller makes them.
    CyclesOfMeshes,
    Mitsuba,
}

impl Tracer {
    fn folder(self) -> &'static str {
        match self {
            Self::Ours => "ours",
            Self::Cycles => "cycles",
            Self::CyclesOfMeshes => "cycles-meshes",
            Self::Mitsuba => "mitsuba",
        }
    }
}

/// What a tracer prints, or writes beside its pictures.
#[derive(Debug, Deserialize)]
struct Times {
    name: String,
    runs: Vec<Run>,
}

#[derive(Debug, Deserialize)]
struct Run {
    samples: u32,
    seconds: f64,
}

/// Error over time of a neutral scene: ours, Cycles' and Mitsuba's, in turns.
///
/// # Errors
///
/// If something cannot be installed or run.
pub(crate) fn curves(workspace: &Workspace, scene_name: &str) -> Result<Vec<Curve>> {
    let folder = workspace.kept(format!("peers/{scene_name}"));
    let scene = scene(workspace, scene_name, &folder)?;
    let (library, blender) = (setup::llvm()?, setup::blender()?);
    let cycles = |balls: &str| {
        let mut command = Command::new(&blender);
        command.args(["-b", "--factory-startup", "--disable-autoexec", "-P"]);
        command.arg(workspace.path("xtask/peers/cycles_peer.py")).arg("--").arg(&scene);
        command.args(["--bounces", BOUNCES, "--balls", balls]);
        command
    };
    let run = |tracer: Tracer, samples: &str, seed: &str| -> Result<Times> {
        let out = folder.join(tracer.folder());
        let mut command = match tracer {
            Tracer::Ours => return times(&draw(workspace, scene_name, &out, samples, seed)?),
            Tracer::Cycles => cycles("points"),
            Tracer::CyclesOfMeshes => cycles("meshes"),
            Tracer::Mitsuba => {
                let mut command = mitsuba(workspace, "llvm_ad_rgb")?;
                command.env("DRJIT_LIBLLVM_PATH", &library).arg(&scene);
                command
            }
        };
        command.args(["--samples", samples, "--seed", seed, "--threads", "2", "--out"]).arg(&out);
        process::run(&mut command)?;
        times(&fs::read_to_string(out.join("times.json")).into_diagnostic().wrap_err("the peer wrote no times")?)
    };
    let mut tracers = vec![Tracer::Ours, Tracer::Cycles, Tracer::Mitsuba];
    if scene_name == "spheres" {
        tracers.push(Tracer::CyclesOfMeshes);
    }
    let mut curves = Vec::new();
    for &tracer in &tracers {
        // Another seed, so that the reference shares no noise with what is measured by it.
        run(tracer, REFERENCE, "77")?;
        let file = |samples: &str| folder.join(tracer.folder()).join(format!("{samples}.f32"));
        let reference = picture(&file(REFERENCE))?;
        let times = run(tracer, LADDER, "0")?;
        let mean = reference.iter().flatten().map(|c| f64::from(*c)).sum::<f64>() / (reference.len() * 3) as f64;
        let mut points = Vec::new();
        for Run { samples, seconds } in &times.runs {
            points.push([*seconds, error(&picture(&file(&samples.to_string()))?, &reference) / mean]);
        }
        curves.push(Curve { name: times.name, points, mean });
    }
    for _ in 1..ROUNDS {
        for (&tracer, curve) in tracers.iter().zip(&mut curves) {
            for (point, again) in curve.points.iter_mut().zip(run(tracer, LADDER, "0")?.runs) {
                point[0] = point[0].min(again.seconds);
            }
        }
    }
    Ok(curves)
}

fn times(text: &str) -> Result<Times> {
    serde_json::from_str(text).into_diagnostic().wrap_err_with(|| format!("`{text}` is no measurement"))
}

/// The root of the mean square difference.
fn error(picture: &Picture, reference: &Picture) -> f64 {
    let squares = picture.iter().flatten().zip(reference.iter().flatten()).map(|(a, b)| f64::from(a - b).powi(2));
    (squares.sum::<f64>() / (reference.len() * 3) as f64).sqrt()
}

/// Seconds to build and to draw a million particles, and to bring them to a device.
#[derive(Debug, Deserialize)]
pub(crate) struct Million {
    pub(crate) build_seconds: f64,
    pub(crate) seconds: f64,
    pub(crate) upload_seconds: f64,
    pub(crate) device: String,
}

/// Draws a million particles.
///
/// # Errors
///
/// If the program that does fails.
pub(crate) fn million(workspace: &Workspace, size: &str, samples: &str) -> Result<Million> {
    let text = process::capture(measure(workspace).args(["million", size, samples]))?;
    serde_json::from_str(&text).into_diagnostic().wrap_err_with(|| format!("`{text}` is no measurement"))
}

/// The curves as a drawing: seconds to the right, error upward, both by their logarithms.
pub(crate) fn plot(title: &str, curves: &[Curve]) -> String {
    const COLORS: [&str; 4] = ["#d1495b", "#30638e", "#6a994e", "#8d6cab"];
    let all = || curves.iter().flat_map(|curve| &curve.points);
    let range = |axis: usize| {
        let logs = all().map(move |point| point[axis].log10());
        let (low, high) = logs.fold((f64::MAX, f64::MIN), |(low, high), x| (low.min(x), high.max(x)));
        (low - 0.1, high + 0.1)
    };
    let (([left, right], [low, high]), (width, height)) =
        ((<[f64; 2]>::from(range(0)), <[f64; 2]>::from(range(1))), (640.0, 400.0));
    let x = |seconds: f64| 60.0 + (seconds.log10() - left) / (right - left) * (width - 80.0);
    let y = |error: f64| height - 45.0 - (error.log10() - low) / (high - low) * (height - 85.0);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" font-family=\"sans-serif\" font-size=\"13\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n<text x=\"60\" y=\"24\" font-size=\"15\">{title}</text>\n"
    );
    for (axis, [from, to]) in [[left, right], [low, high]].into_iter().enumerate() {
        for tick in (-4..=3).flat_map(|decade| [1.0, 2.0, 5.0].map(|step| step * 10f64.powi(decade))) {
            if tick.log10() < from || tick.log10() > to {
                continue;
            }
            let (x1, y1, x2, y2, tx, ty, anchor) = if axis == 0 {
                (x(tick), 40.0, x(tick), height - 45.0, x(tick), height - 28.0, "middle")
            } else {
                (60.0, y(tick), width - 20.0, y(tick), 54.0, y(tick) + 4.0, "end")
            };
            svg += &format!(
                "<line x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\" stroke=\"#ddd\"/>\
                 <text x=\"{tx:.1}\" y=\"{ty:.1}\" text-anchor=\"{anchor}\" fill=\"#555\">{tick}</text>\n"
            );
        }
    }
    svg += &format!(
        "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\" fill=\"#555\">seconds</text>\n\
         <text transform=\"translate(14 {:.1}) rotate(-90)\" text-anchor=\"middle\" fill=\"#555\">error / mean</text>\n",
        width / 2.0,
        height - 8.0,
        height / 2.0
    );
    for ((curve, color), row) in curves.iter().zip(COLORS).zip(0..) {
        let points: Vec<String> = curve.points.iter().map(|[s, e]| format!("{:.1},{:.1}", x(*s), y(*e))).collect();
        svg += &format!(
            "<polyline points=\"{}\" fill=\"none\" stroke=\"{color}\" stroke-width=\"2\"/>\n",
            points.join(" ")
        );
        for point in &points {
            let (x, y) = point.split_once(',').unwrap_or_default();
            svg += &format!("<circle cx=\"{x}\" cy=\"{y}\" r=\"3.5\" fill=\"{color}\"/>\n");
        }
        let (at, name) = (58.0 + 18.0 * f64::from(row), &curve.name);
        svg += &format!(
            "<text x=\"{:.1}\" y=\"{at:.1}\" text-anchor=\"end\" fill=\"{color}\">{name}</text>\n",
            width - 28.0
        );
    }
    svg + "</svg>\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_wrong_region_is_found() {
        let theirs = vec![[0.5, 0.4, 0.3]; 16 * 16];
        let mut ours = theirs.clone();
        assert!(worst_region(&ours, &theirs).expect("two pictures") < 1e-9);
        for row in ours.chunks_mut(16).take(4) {
            row[12..].iter_mut().for_each(|pixel| pixel[2] *= 1.02);
        }
        let worst = worst_region(&ours, &theirs).expect("two pictures");
        assert!((worst - 0.02).abs() < 1e-6, "{worst}");
        // In the midst of regions that are well.
        ours[120][1] = f32::NAN;
        assert!(worst_region(&ours, &theirs).expect("two pictures").is_nan());
        assert!(worst_region(&ours, &vec![[0.0; 3]; 9]).is_err());
    }

    #[test]
    fn a_curve_is_read_between_and_beyond_its_points() {
        let curve = Curve { name: "one".into(), points: vec![[1.0, 0.1], [4.0, 0.05], [16.0, 0.025]], mean: 0.5 };
        for (error, seconds) in [(0.1, 1.0), (0.05, 4.0), (0.2, 0.25), (0.0125, 64.0)] {
            assert!((curve.seconds_to(error) / seconds - 1.0).abs() < 1e-9, "{error}");
        }
        let svg = plot("A scene", &[curve]);
        assert!(svg.contains("polyline") && svg.contains(">one<"), "{svg}");
    }
}
