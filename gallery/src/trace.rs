//! How long frames of the interface take, written as a trace that Perfetto and `chrome://tracing` show.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::{Instant, SystemTime},
};

use bevy::{
    app::{AppExit, First, Last},
    ecs::schedule::IntoScheduleConfigs as _,
    prelude::{App, MessageReader, Plugin, Res, Resource},
    render::{Render, RenderApp, RenderSystems, view::window::prepare_windows},
};
use serde::Serialize;
use serde_json::json;

use crate::work::lock;

/// The most spans that are kept: half an hour at 60 frames a second.
const MOST: usize = 500_000;

/// A part of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Part {
    /// Input and the page: all that the app does itself, until it hands its world over to the renderer.
    Update,
    /// The renderer gets ready, pictures and letters for the device included.
    Prepare,
    /// The renderer waits until the device has a picture to draw into. In time, a part of `Prepare`.
    Acquire,
    /// Commands are written and handed over, and the picture is shown: on a device that is a processor, much of its work.
    Draw,
}

/// Spans in microseconds since 1970, so that what else happened then can be found in them.
#[derive(Debug)]
struct Spans {
    began: (Instant, u64),
    all: Vec<(Part, u64, u64)>,
    open: [Option<Instant>; 4],
}

#[derive(Resource, Clone)]
struct Trace(Arc<Mutex<Spans>>, PathBuf);

/// Notes the parts of each frame, and writes them to its file when the app ends.
pub struct TracePlugin(pub PathBuf);

impl Plugin for TracePlugin {
    fn build(&self, app: &mut App) {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let spans = Spans { began: (Instant::now(), now.as_micros() as u64), all: Vec::new(), open: [None; 4] };
        let trace = Trace(Arc::new(Mutex::new(spans)), self.0.clone());
        app.insert_resource(trace.clone())
            .add_systems(First, begin::<{ Part::Update as usize }>)
            .add_systems(Last, (end::<{ Part::Update as usize }>, write).chain());
        let Some(render) = app.get_sub_app_mut(RenderApp) else { return };
        render.insert_resource(trace).add_systems(
            Render,
            (
                begin::<{ Part::Prepare as usize }>.before(RenderSystems::ExtractCommands),
                begin::<{ Part::Acquire as usize }>.in_set(RenderSystems::PrepareViews).before(prepare_windows),
                end::<{ Part::Acquire as usize }>.in_set(RenderSystems::PrepareViews).after(prepare_windows),
                (end::<{ Part::Prepare as usize }>, begin::<{ Part::Draw as usize }>)
                    .chain()
                    .after(RenderSystems::Prepare)
                    .before(RenderSystems::Render),
                end::<{ Part::Draw as usize }>.after(RenderSystems::Render),
            ),
        );
    }
}

const PARTS: [Part; 4] = [Part::Update, Part::Prepare, Part::Acquire, Part::Draw];

fn begin<const PART: usize>(trace: Res<Trace>) {
    lock(&trace.0).open[PART] = Some(Instant::now());
}

fn end<const PART: usize>(trace: Res<Trace>) {
    let mut spans = lock(&trace.0);
    let Some(from) = spans.open[PART].take() else { return };
    let (since, took) = (from.duration_since(spans.began.0), from.elapsed());
    if spans.all.len() < MOST {
        let at = spans.began.1 + since.as_micros() as u64;
        spans.all.push((PARTS[PART], at, took.as_micros() as u64));
    }
}

fn write(trace: Res<Trace>, mut exit: MessageReader<AppExit>) {
    if exit.read().count() == 0 {
        return;
    }
    let events: Vec<_> = lock(&trace.0)
        .all
        .iter()
        .map(|(part, at, took)| {
            let thread = usize::from(*part != Part::Update);
            json!({ "name": part, "ph": "X", "ts": at, "dur": took, "pid": 1, "tid": thread })
        })
        .collect();
    if let Err(error) = save(&trace.1, &json!({ "traceEvents": events })) {
        eprintln!("seedstorm-gallery: {}: {error}", trace.1.display());
    }
}

fn save(path: &Path, trace: &serde_json::Value) -> std::io::Result<()> {
    let bytes = serde_json::to_vec(trace).expect("names and numbers");
    seedstorm_mint::files::write_atomically(path, &bytes, seedstorm_mint::files::Access::Shared)
}
