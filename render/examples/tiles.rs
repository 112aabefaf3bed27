//! How well raw tiles tell honest work from what cheats would give (`seedstorm_render::judge`), on frames of a scenario.
//!
//! `cargo run --release -p seedstorm-render --features gpu --example tiles -- SCENARIO TILES EVERY [NAME=VALUE…]` draws frames of
//! worlds of seed 1, 2, … at draft quality on the device and on the CPU until so many tiles have spoken; of every `EVERY`th
//! frame it draws what cheats would give as well. It prints, for each kind of claim, tiles that were judged, refused and silent, and the
//! largest share, in thousandths, of an honest tile's speaking pixels that were apart.

use std::collections::BTreeMap;
use std::error::Error;
use std::sync::atomic::AtomicBool;

use seedstorm_render::denoise::denoise;
use seedstorm_render::gpu::GpuTracer;
use seedstorm_render::judge::{Count, Verdict};
use seedstorm_render::{FrameSettings, Layers, PreparedScene, Rect};
use seedstorm_sim::scene::Scene;
use seedstorm_sim::{Backend, Film, Player, Recipe, recipe::ParamValue, resolve, simulate};
use serde_json::json;

/// Edge of a tile, in pixels.
const TILE: u32 = 16;
/// Edge of the frames.
const SIZE: u32 = 256;
/// Frames that are looked at of each world's film, and how many the film has.
const SHOWN: u32 = 12;
const FRAMES: u32 = 48;

/// Of each kind of claim, tiles that were judged, refused, and that said nothing; of the honest, the largest share apart.
type Counts = BTreeMap<&'static str, [u32; 4]>;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [scenario, wanted, every, params @ ..] = &arguments[..] else { return Err("say SCENARIO TILES EVERY".into()) };
    let (wanted, every): (u32, u32) = (wanted.parse()?, every.parse()?);
    let tracer = GpuTracer::open()?;
    let (mut counts, mut drawn) = (Counts::new(), 0);
    let (mut worlds, mut silent_worlds) = (0, 0);
    for seed in 1_u64.. {
        let film = Film { frames: FRAMES, fps: 12, width: SIZE, height: SIZE, samples: 16, renderer: "cpu".into() };
        let mut recipe = Recipe::new(&format!("{scenario}@1"), seed.into(), film)?;
        for param in params {
            let (name, value) = param.split_once('=').ok_or("a parameter is NAME=VALUE")?;
            recipe.params.insert(name.to_owned(), ParamValue::Number(value.parse()?));
        }
        let run = simulate(&recipe, Backend::Cpu, &mut |_, _| true)?;
        let (chosen, genome) = resolve(&recipe)?;
        let stage = chosen.stage(&genome);
        let mut player = Player::new(&run.trajectory);
        let mut moment = |frame: u32| -> Result<Scene, Box<dyn Error>> {
            let time = f64::from(frame) / f64::from(FRAMES - 1);
            let (values, rates) = player.at(time)?;
            Ok(stage.scene(time, &values, &rates))
        };
        worlds += 1;
        let before = spoken(&counts);
        for shown in 0..SHOWN {
            let frame = 2 + shown * (FRAMES - 4) / (SHOWN - 1);
            let scene = moment(frame)?;
            let neighbour = if drawn % every == 0 { Some(moment(frame + 1)?) } else { None };
            look(&tracer, &scene, neighbour.as_ref(), frame, &mut counts)?;
            drawn += 1;
            eprintln!("{scenario} {seed}, frame {frame}: {counts:?}");
            if spoken(&counts) >= wanted {
                println!("{}", json!({"worlds": worlds, "frames": drawn, "device": tracer.name(), "counts": counts}));
                return Ok(());
            }
        }
        silent_worlds += u32::from(spoken(&counts) == before);
        if silent_worlds > 3 {
            return Err(format!("no tile of {silent_worlds} worlds of {scenario} speaks").into());
        }
    }
    Ok(())
}

/// Honest tiles that spoke.
fn spoken(counts: &Counts) -> u32 {
    counts.get("honest").map_or(0, |[spoken, ..]| *spoken)
}

fn look(
    tracer: &GpuTracer,
    scene: &Scene,
    neighbour: Option<&Scene>,
    frame: u32,
    counts: &mut Counts,
) -> Result<(), Box<dyn Error>> {
    let never = AtomicBool::new(false);
    let paid = FrameSettings { width: SIZE, height: SIZE, samples: 16, frame, ..FrameSettings::default() };
    let prepared = PreparedScene::new(scene)?;
    let draw = |prepared: &PreparedScene, settings: FrameSettings| prepared.render(&settings, &|_| {}, &never);
    let canonical = draw(&prepared, paid)?;
    let whole = Rect { x: 0, y: 0, width: SIZE, height: SIZE };
    let mut claims = vec![("honest", tracer.scene(&prepared)?.render(&paid, whole, &|_| {}, &never)?)];
    if let Some(neighbour) = neighbour {
        let small = draw(&prepared, FrameSettings { width: SIZE / 2, height: SIZE / 2, samples: 64, ..paid })?;
        let cheap = draw(&prepared, FrameSettings { samples: 4, ..paid })?;
        claims.extend([
            ("fewer samples", draw(&prepared, FrameSettings { samples: 12, ..paid })?),
            ("scaled up", scaled_up(&small)),
            ("denoised", Layers { radiance: denoise(&cheap), ..cheap }),
            ("another seed", draw(&prepared, FrameSettings { seed: 1, ..paid })?),
            ("neighbour", draw(&PreparedScene::new(neighbour)?, FrameSettings { frame: frame + 1, ..paid })?),
        ]);
    }
    for (name, claim) in claims {
        let row = counts.entry(name).or_default();
        let across = SIZE / TILE;
        for tile in 0..across * across {
            let square = Rect { x: tile % across * TILE, y: tile / across * TILE, width: TILE, height: TILE };
            let count = Count::of(&claim.cut(square).radiance, &canonical.cut(square));
            if name == "honest" && count.speaking > 0 {
                row[3] = row[3].max((1000 * count.apart / count.speaking) as u32);
            }
            match count.verdict() {
                Verdict::Silent => row[2] += 1,
                Verdict::Agrees => row[0] += 1,
                Verdict::Differs => (row[0], row[1]) = (row[0] + 1, row[1] + 1),
            }
        }
    }
    Ok(())
}

/// Twice as wide and high, between the pixels' middles.
fn scaled_up(small: &Layers) -> Layers {
    let mut large = Layers::new(small.width * 2, small.height * 2);
    let pixel = |x: isize, y: isize| {
        let inside = |at: isize, size: usize| at.clamp(0, size as isize - 1) as usize;
        small.radiance[inside(y, small.height) * small.width + inside(x, small.width)]
    };
    for (at, out) in large.radiance.iter_mut().enumerate() {
        let (x, y) = ((at % large.width) as isize, (at / large.width) as isize);
        let (left, top) = ((x - 1).div_euclid(2), (y - 1).div_euclid(2));
        let (right, below) = (if x % 2 == 0 { 0.75 } else { 0.25 }, if y % 2 == 0 { 0.75 } else { 0.25 });
        for (dx, dy, weight) in [
            (0, 0, (1.0 - right) * (1.0 - below)),
            (1, 0, right * (1.0 - below)),
            (0, 1, (1.0 - right) * below),
            (1, 1, right * below),
        ] {
            let [r, g, b] = pixel(left + dx, top + dy);
            *out = [out[0] + r * weight, out[1] + g * weight, out[2] + b * weight];
        }
    }
    large
}
