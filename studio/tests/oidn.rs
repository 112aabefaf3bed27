//! `seedstorm render --denoiser oidn`, where Intel's denoiser is built in: `cargo xtask ci oidn`. Needs Blender too.
#![cfg(all(feature = "oidn", target_os = "linux"))]

use std::{fs, process::Command};

use seedstorm_render::image_file::decode_png;
use serde_json::Value;

/// A frame as few samples show it, with less noise by it, and as many samples show it.
#[test]
fn pictures_of_few_samples_come_near_those_of_many() {
    let place = tempfile::tempdir().unwrap();
    let folder = |name: &str| place.path().join(name);
    let draw = |renderer: &str, samples: &str, denoiser: &str, out: &str| -> Vec<u8> {
        let output = Command::new(env!("CARGO_BIN_EXE_seedstorm"))
            .args(["render", "tempest", "--seed", "87", "--quality", "draft", "--frames", "40..41", "--json"])
            .args(["--renderer", renderer, "--samples", samples, "--denoiser", denoiser, "--out", out])
            .current_dir(place.path())
            .env("SEEDSTORM_HOME", folder("home"))
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        decode_png(&fs::read(folder(out).join("0040.png")).unwrap()).unwrap().pixels
    };
    let error = |picture: &[u8], wanted: &[u8]| {
        let squares: u64 = picture.iter().zip(wanted).map(|(a, b)| u64::from(a.abs_diff(*b)).pow(2)).sum();
        (squares as f64 / wanted.len() as f64).sqrt()
    };

    let wanted = draw("cpu", "128", "own", "many");
    let [own, oidn] =
        ["own", "oidn"].map(|denoiser| error(&draw("cpu", "4", denoiser, &format!("few-{denoiser}")), &wanted));
    // What other renderers draw is denoised by radiance alone.
    let wanted = draw("cycles", "128", "own", "many-cycles");
    let [noisy, calm] =
        ["own", "oidn"].map(|denoiser| error(&draw("cycles", "4", denoiser, &format!("cycles-{denoiser}")), &wanted));
    eprintln!("own {own:.2}, oidn {oidn:.2}; Cycles {noisy:.2}, with oidn {calm:.2}");
    assert!(oidn < own, "{oidn} beside {own} of ours");
    assert!(calm < 0.6 * noisy, "{calm} beside {noisy} of Cycles without");

    // A folder is of one denoiser, and says so.
    let note: Value = serde_json::from_slice(&fs::read(folder("few-oidn/render.json")).unwrap()).unwrap();
    assert_eq!(note["denoiser"], "oidn");
}
