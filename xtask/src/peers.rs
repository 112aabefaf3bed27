//! Pictures of neutral scenes by other renderers, beside ours: `xtask/peers` and `render/examples/measure.rs`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use miette::{IntoDiagnostic, Result, WrapErr, bail, miette};

use crate::workspace::{Workspace, write_atomically};
use crate::{process, setup};

/// The version of `mitsuba` (PyPI) that pictures are held against.
const MITSUBA: &str = "3.9.1";

/// Most scatterings of a path, as in `render/examples/measure.rs`.
const BOUNCES: &str = "5";

/// Regions in a row, and in a column.
const REGIONS: usize = 4;

/// How far the mean of a region may be from Mitsuba's, in each colour.
const APART: f64 = 0.01;

/// Paths a pixel of the picture that CI compares: ours, which takes more at outlines, and Mitsuba's.
const PATHS: [&str; 2] = ["384", "1024"];

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
    if worst > APART {
        bail!("a region of the Cornell box is {:.2} % from Mitsuba's", worst * 100.0);
    }
    Ok(format!("regions within {:.2} % of Mitsuba {MITSUBA}", worst * 100.0))
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
    let python = setup::python_package(&workspace.kept("mitsuba"), "mitsuba", MITSUBA)?.join("python");
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
    Ok(sums.iter().flatten().map(|[ours, theirs]| (ours / theirs - 1.0).abs()).fold(0.0, f64::max))
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
        assert!(worst_region(&ours, &vec![[0.0; 3]; 9]).is_err());
    }
}
