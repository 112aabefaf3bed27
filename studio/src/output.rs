//! What commands print: words for people, or one JSON document.

use std::{io::Write as _, path::Path};

use seedstorm_mint::{Token, car::Car};
use seedstorm_render::plugin::{Plugin, check::Finding};
use seedstorm_sim::{
    Genome, Recipe, RecipeError,
    recipe::ParamValue,
    resolve,
    scenario::{self, Scenario as _, authored::Authored},
    segment::Right,
};
use seedstorm_studio::{
    census::{Census, Share},
    check::{Dispute, Odds, Outcome, Replay, SpotCheck},
    doctor::Diagnosis,
    export::{Compiled, Modelled},
    import::Imported,
    ledger::Ledger,
    make::Made,
    render::Rendered,
    renderers,
    sweep::Swept,
    verify::Report,
};
use serde_json::{Value, json};

fn document(value: &Value) {
    raw(&serde_json::to_vec_pretty(value).expect("a JSON value is JSON"));
}

/// Writes bytes and a newline to standard output. A reader that went away is no error; anything else ends the program,
/// because nobody would learn of the loss otherwise.
pub(crate) fn raw(bytes: &[u8]) {
    let mut out = std::io::stdout().lock();
    match out.write_all(bytes).and_then(|()| out.write_all(b"\n")).and_then(|()| out.flush()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            aside(&format!("standard output: {error}"));
            std::process::exit(1);
        }
        _ => {}
    }
}

/// Writes a line to standard error, if anybody listens.
pub(crate) fn aside(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

fn line(label: &str, value: impl std::fmt::Display) {
    raw(format!("{label:>12}  {value}").as_bytes());
}

/// What is about to be made, on standard error.
pub(crate) fn announce(recipe: &Recipe) -> Result<(), RecipeError> {
    let (_, genome) = resolve(recipe)?;
    let words: Vec<&str> = genome.traits.iter().map(|t| t.value.as_str()).collect();
    aside(&format!("{} · seed {} · {}", recipe.scenario, genome.seed.written(), words.join(", ")));
    Ok(())
}

pub(crate) fn made(recipe: &Recipe, made: &Made, json: bool) {
    let minted = made.minted.as_ref();
    if json {
        document(&json!({
            "recipe_cid": recipe.cid().to_string(),
            "seed": recipe.seed,
            "world_id": recipe.world_id().to_string(),
            "sim_root": made.sim_root,
            "bundle": made.bundle,
            "bundle_cid": made.bundle_cid.to_string(),
            "metadata_cid": made.metadata_cid.to_string(),
            "film": made.film,
            "token": minted.map(|m| m.token.id),
            "contract": minted.map(|m| &m.contract),
            "chain": minted.map(|m| m.chain),
            "owner": minted.map(|m| m.token.owner.to_string()),
            "stages": made.stages,
            "reused": made.reused,
        }));
        return;
    }
    if made.reused {
        line("", "made before, and used again");
    }
    line("seed", recipe.seed.written());
    for t in &made.genome.traits {
        line(&t.name, trait_words(&t.value, t.rarity, t.overridden));
    }
    line("sim_root", made.sim_root);
    line("recipe", recipe.cid());
    line("bundle", made.bundle_cid);
    line("metadata", made.metadata_cid);
    match minted {
        Some(minted) => {
            line("token", format!("{} of {} on chain {}", minted.token.id, minted.contract, minted.chain));
            line("owner", minted.token.owner);
        }
        None => line("token", "none: not minted"),
    }
    line("film", made.film.display());
    line(
        "check it",
        match minted {
            Some(minted) => format!("seedstorm verify {}", minted.token.id),
            None => format!("seedstorm verify --unminted {}", made.bundle.display()),
        },
    );
}

fn trait_words(value: &str, rarity: f64, overridden: bool) -> String {
    if overridden { format!("{value} (chosen)") } else { format!("{value} ({:.0} % of seeds)", rarity * 100.0) }
}

pub(crate) fn swept(swept: &Swept, sheet: Option<&Path>, csv: Option<&Path>, json: bool) {
    let looked = swept.pieces - swept.resumed;
    let rate = looked as f64 / swept.seconds.max(1e-3);
    if json {
        let mut value = serde_json::to_value(swept).expect("plain numbers and texts");
        value["rate"] = json!(rate);
        value["sheet"] = json!(sheet);
        value["csv"] = json!(csv);
        return document(&value);
    }
    let kept = if swept.resumed > 0 { format!(", {} from an earlier run", swept.resumed) } else { String::new() };
    line("pieces", format!("{}{kept}", swept.pieces));
    line("quick looks", format!("{looked} in {:.1} s, {rate:.2} a second", swept.seconds));
    for (place, ranked) in swept.top.iter().enumerate() {
        let params: String = ranked.params.iter().map(|(name, value)| format!(" {name}={}", param(value))).collect();
        let token = ranked.token.map_or_else(String::new, |token| format!(" · token {token}"));
        let words = ranked.traits.join(", ");
        line(&format!("{}", place + 1), format!("{:8.3}  seed {}{params} · {words}{token}", ranked.score, ranked.seed));
    }
    for (label, path) in [("sheet", sheet), ("csv", csv)] {
        if let Some(path) = path {
            line(label, path.display());
        }
    }
}

fn param(value: &ParamValue) -> String {
    match value {
        ParamValue::Number(number) => number.to_string(),
        ParamValue::Text(text) => text.clone(),
    }
}

pub(crate) fn census(census: &Census, json: bool) {
    if json {
        return document(&serde_json::to_value(census).expect("plain numbers and texts"));
    }
    raw(format!("{}, {} seeds", census.scenario, census.seeds).as_bytes());
    for counted in &census.traits {
        raw(counted.name.as_bytes());
        for Share { value, stated, found, deviation, .. } in &counted.options {
            let bar = "█".repeat((found * 60.0).round() as usize);
            let (stated, found) = (stated * 100.0, found * 100.0);
            raw(format!("{value:>14}  {found:6.2} %  (stated {stated:5.2} %, {deviation:+.1} σ)  {bar}").as_bytes());
        }
    }
    let verdict = if census.largest_deviation() < 5.0 { "as stated" } else { "not as stated" };
    raw(format!("largest deviation {:.1} σ: {verdict}", census.largest_deviation()).as_bytes());
}

pub(crate) fn diagnosis(found: &Diagnosis, json: bool) {
    if json {
        return document(&serde_json::to_value(found).expect("plain numbers and texts"));
    }
    line("cores", found.cores);
    for adapter in &found.adapters {
        let kind = if adapter.software { "software" } else { "hardware" };
        let products = if adapter.wide { "64-bit integers" } else { "no 64-bit integers" };
        line("adapter", format!("{} ({}, {kind}, {products})", adapter.name, adapter.interface));
    }
    if found.adapters.is_empty() {
        line("adapter", "none");
    }
    line("kernels", format!("run on {}", found.kernels_run_on));
    line("Blender", found.blender.as_deref().unwrap_or("not found (Cycles needs it)"));
    line("bubblewrap", if found.bubblewrap { "found" } else { "not found (other renderers need it)" });
    for it in &found.renderers {
        line("renderer", format!("{}: {}", it.name, it.problem.as_deref().unwrap_or("ready")));
    }
    line("home", found.home.display());
    if let Some(free) = found.free_bytes {
        line("free", format!("{:.1} GiB", free as f64 / (1u64 << 30) as f64));
    }
    for service in &found.services {
        let state = if service.reachable { "answers" } else { "does not answer" };
        line("service", format!("{} at {} {state} (not needed)", service.name, service.address));
    }
    for advice in &found.advice {
        line("advice", advice);
    }
}

pub(crate) fn scenarios(json: bool) {
    if json {
        let one = |s: &&dyn scenario::Scenario| {
            json!({
                "name": s.name(),
                "version": s.version(),
                "kind": s.kind(),
                "about": s.about(),
                "params": s.params(),
                "traits": s.traits(),
            })
        };
        document(&scenario::all().iter().map(one).collect());
        return;
    }
    for s in scenario::all() {
        raw(format!("{}@{} — {}", s.name(), s.version(), s.about()).as_bytes());
        decided(*s);
    }
}

/// A line for each trait and parameter.
fn decided(s: &dyn scenario::Scenario) {
    for spec in s.traits() {
        let options: Vec<String> = (0..spec.options.len())
            .map(|i| format!("{} {:.0} %", spec.options[i].value, spec.rarity(i) * 100.0))
            .collect();
        line(spec.name, format!("{}: {}", spec.about, options.join(", ")));
    }
    for spec in s.params() {
        let [low, high] = spec.usual;
        let usual = if low == high { format!("{low}") } else { format!("{low} to {high}") };
        let unit = if spec.unit.is_empty() { String::new() } else { format!(" {}", spec.unit) };
        line(spec.name, format!("{}: {usual}{unit}, may be set from {} to {}", spec.about, spec.min, spec.max));
    }
}

/// What a scene holds.
pub(crate) fn scene(path: &Path, recipe: &Recipe, scene: &Authored, json: bool) {
    let blueprint = scene.blueprint();
    let bytes = recipe.scene.as_ref().map_or(0, |document| document.canonical().len());
    let [fewest, most] = blueprint.bodies();
    if json {
        document(&json!({
            "file": path,
            "title": blueprint.title(),
            "about": scene.about(),
            "kind": scene.kind(),
            "bodies": { "fewest": fewest, "most": most },
            "particles": { "most": blueprint.most_particles() },
            "convex_pieces": blueprint.convex_pieces(),
            "steps": blueprint.steps(),
            "seconds": blueprint.seconds(),
            "bytes": bytes,
            "traits": scene.traits(),
            "params": scene.params(),
        }));
        return;
    }
    raw(format!("{} — {}", blueprint.title(), scene.about()).as_bytes());
    line("bodies", if fewest == most { format!("{most}") } else { format!("{fewest} to {most}") });
    line("particles", format!("at most {}", blueprint.most_particles()));
    line("meshes", format!("{} convex pieces", blueprint.convex_pieces()));
    line("steps", format!("{} in {} s", blueprint.steps(), blueprint.seconds()));
    line("recipe", format!("carries it in {bytes} bytes"));
    decided(scene);
}

pub(crate) fn traits(recipe: &Recipe, genome: &Genome, json: bool) {
    if json {
        document(&json!({
            "scenario": recipe.scenario,
            "seed": genome.seed,
            "traits": genome.traits,
            "params": genome.params,
        }));
        return;
    }
    line("seed", genome.seed.written());
    for t in &genome.traits {
        line(&t.name, trait_words(&t.value, t.rarity, t.overridden));
    }
    for p in &genome.params {
        line(&p.name, format!("{} {}{}", p.value, p.unit, if p.overridden { " (chosen)" } else { "" }));
    }
}

pub(crate) fn report(report: &Report, json: bool) {
    if json {
        document(&serde_json::to_value(report).expect("a report is plain texts"));
        return;
    }
    for check in &report.checks {
        raw(format!("{} {:>11}  {}", if check.ok { "✓" } else { "✗" }, check.name, check.detail).as_bytes());
    }
    raw(if report.ok { "everything holds".as_bytes() } else { b"this piece does not hold" });
}

pub(crate) fn spot_check(found: &SpotCheck, piece: &str, json: bool) {
    if json {
        return document(&serde_json::to_value(found).expect("plain numbers and texts"));
    }
    let mark = |outcome: Outcome| match outcome {
        Outcome::Holds => "✓",
        Outcome::Forged => "✗",
        Outcome::Gone => "?",
        Outcome::Quiet => "·",
    };
    let say = |outcome: Outcome, label: &str, holds: &str, forged: &str| {
        let words = match outcome {
            Outcome::Holds => holds,
            Outcome::Forged => forged,
            Outcome::Gone | Outcome::Quiet => "not checked: the bytes of its checkpoint are not kept here",
        };
        raw(format!("{} {label:>12}  {words}", mark(outcome)).as_bytes());
    };
    say(found.beginning, "beginning", "as the recipe says", "not what the recipe says");
    for (segment, outcome) in &found.drawn {
        let holds = "leads to the next checkpoint, and to the trajectory's pictures";
        say(*outcome, &format!("segment {segment}"), holds, "does NOT lead to what is claimed: it is forged");
    }
    let run = found.drawn.iter().filter(|(_, outcome)| *outcome != Outcome::Gone).count();
    raw(format!("{run} of {} segments of {} were run again on {}", found.segments, found.sim_root, found.backend)
        .as_bytes());
    for Odds { forged, found: chance } in found.odds.iter().filter(|_| run > 0) {
        // Nothing short of certainty is called that.
        let percent = (chance * 1000.0 + 1e-9).floor() / 10.0;
        raw(format!("  had {forged} been forged, this would have shown it in {percent} % of cases").as_bytes());
    }
    if run < found.drawn.len() {
        raw(b"  that is if the bytes that are gone went by chance: whoever forges a segment would lose its bytes");
    }
    let exact = found.renderer == "cpu";
    for tile in &found.tiles {
        let words = match (tile.outcome, exact) {
            (Outcome::Holds, true) => "drawn again, equal",
            (Outcome::Holds, false) => "its light is that of the canonical tracer, and leads to the picture",
            (Outcome::Forged, true) => "drawn again, DIFFERENT",
            (Outcome::Forged, false) => "its light is NOT what the recipe gives, or does not lead to the picture",
            (Outcome::Quiet, _) => "looks right; it has too little noise to tell how it was drawn",
            (Outcome::Gone, _) => "not checked: the frame's raw light is not kept here, or no longer whole",
        };
        let [x, y] = tile.place;
        let label = format!("frame {}", tile.frame);
        raw(format!("{} {label:>12}  {words}, at {x}, {y}", mark(tile.outcome)).as_bytes());
    }
    raw(if found.ok {
        b"what was looked at holds; hashes, token and all the rest are for `seedstorm verify`".as_slice()
    } else {
        b"this piece does not hold, or could not be checked"
    });
    if !found.tiles.is_empty() && found.tiles.iter().all(|tile| tile.outcome == Outcome::Quiet) {
        raw(b"nothing is shown of how its frames were drawn: none of these tiles has noise enough; others may, `--tiles`");
    }
    if found.drawn.iter().any(|(_, outcome)| *outcome == Outcome::Gone) {
        raw(format!(
            "`seedstorm verify {piece}` runs the whole simulation; `seedstorm make … --keep-checkpoints` keeps the bytes"
        )
        .as_bytes());
    }
}

pub(crate) fn replay(found: &Replay, journal: Option<&Path>, json: bool) {
    if json {
        return document(&serde_json::to_value(found).expect("plain numbers and texts"));
    }
    let [from, to] = found.steps;
    line(
        "segment",
        format!("{} of 0 to {}, steps {from} to {to}, on {}", found.segment, found.segments - 1, found.backend),
    );
    line("leads to", found.leads_to);
    line("claimed", found.claimed);
    if let Some(path) = journal {
        line("journal", path.display());
    }
    raw(if found.ok { b"it holds".as_slice() } else { b"it does not hold" });
}

pub(crate) fn dispute(found: Option<&Dispute>, names: [&str; 2], json: bool) {
    if json {
        return document(&serde_json::to_value(found).expect("plain numbers and texts"));
    }
    let Some(found) = found else {
        return raw(b"the two runs are one: every checkpoint is the same");
    };
    line("checkpoint", format!("{} is the first that differs", found.checkpoint));
    match (found.step, found.segment) {
        (Some(step), _) => line("step", format!("{step} is the first that differs")),
        (None, Some(segment)) => line(
            "step",
            format!(
                "in segment {segment}: with the journals of both (`seedstorm replay … --segment {segment} --journal`) it is found"
            ),
        ),
        (None, None) => line("step", "0: they begin in different states"),
    }
    line(
        "right",
        match found.right {
            Right::First => format!("{} is", names[0]),
            Right::Second => format!("{} is", names[1]),
            Right::Neither => "neither is".into(),
        },
    );
}

fn token_value(token: &Token) -> Value {
    json!({
        "token": token.id,
        "owner": token.owner.to_string(),
        "token_uri": token.token_uri,
        "metadata_cid": token.metadata.to_string(),
        "recipe_cid": token.recipe.to_string(),
        "sim_root": hex::encode(token.sim_root),
        "transaction": token.transaction.to_string(),
        "block": token.block,
    })
}

pub(crate) fn token(token: &Token, ledger: &Ledger, folder: Option<&Path>, json: bool) {
    let deployment = ledger.deployment();
    if json {
        let mut value = token_value(token);
        value["contract"] = json!(deployment.map(|d| d.address.to_string()));
        value["chain"] = json!(deployment.map(|d| d.chain_id));
        value["bundle"] = json!(folder);
        document(&value);
        return;
    }
    line("token", token.id);
    if let Some(deployment) = deployment {
        line("contract", format!("{} on chain {}", deployment.address, deployment.chain_id));
    }
    line("owner", token.owner);
    line("tokenURI", &token.token_uri);
    line("recipe", token.recipe);
    line("sim_root", hex::encode(token.sim_root));
    line("minted", format!("in block {} by {}", token.block, token.transaction));
    match folder {
        Some(folder) => line("film", folder.join("film.mp4").display()),
        None => line("film", "not in this home's bundles: `seedstorm verify` reads it out of the store"),
    }
}

pub(crate) fn tokens(tokens: &[Token], json: bool) {
    if json {
        document(&tokens.iter().map(token_value).collect());
        return;
    }
    if tokens.is_empty() {
        raw("no tokens yet: `seedstorm make bloom` mints the first".as_bytes());
    }
    for token in tokens {
        line(&token.id.to_string(), format!("{}  recipe {}", token.owner, token.recipe));
    }
}

/// `note`: what became of a file's own wishes.
pub(crate) fn rendered(rendered: &Rendered, note: Option<&str>, compiled: Option<&Compiled>, json: bool) {
    if json {
        let mut said = json!(rendered);
        if let Some(note) = note {
            said["note"] = note.into();
        }
        if let Some(compiled) = compiled {
            said["compiled"] = json!(compiled);
        }
        document(&said);
        return;
    }
    let [from, to] = rendered.frames;
    let drawn = to - from - rendered.kept;
    line(if rendered.recipe.starts_with("blake3:") { "file" } else { "recipe" }, &rendered.recipe);
    line("frames", format!("{from} to {} in {}", to - 1, rendered.folder.display()));
    line("drawn", format!("{drawn} in {:.1} s by {}; {} were there", rendered.seconds, rendered.tracer, rendered.kept));
    if let Some(Compiled { film, preview, poster, frames, fps, size: [width, height] }) = compiled {
        line("film", format!("{}, {frames} frames of {width}x{height} at {fps} a second", film.display()));
        line("preview", preview.display());
        line("poster", poster.display());
    }
}

pub(crate) fn modelled(made: &Modelled, json: bool) {
    if json {
        document(&json!(made));
        return;
    }
    line("recipe", &made.recipe);
    line("model", format!("{}, {:.1} MB", made.model.display(), made.bytes as f64 / 1e6));
}

pub(crate) fn renderers(all: &[renderers::Listed], json: bool) {
    if json {
        document(&json!({"own": ["cpu", "gpu"], "plugins": all}));
        return;
    }
    line("cpu", "our canonical path tracer: the same pixels everywhere");
    line("gpu", "the same paths on the graphics device (`seedstorm doctor` says which)");
    for it in all {
        let reads: Vec<String> =
            it.reads.iter().map(|it| if it == "scene" { "pieces".into() } else { format!(".{it}") }).collect();
        match &it.problem {
            Some(problem) if reads.is_empty() => line(&it.name, problem),
            problem => {
                line(&it.name, format!("{} {}; draws {}", it.about, it.version, reads.join(", ")));
                if let Some(problem) = problem {
                    line("", problem);
                }
            }
        }
    }
}

/// `replaced`: the version that was there.
pub(crate) fn renderer_added(plugin: &Plugin, replaced: Option<&str>, json: bool) {
    let it = plugin.manifest();
    if json {
        let mut said = json!(it);
        said["replaced"] = json!(replaced);
        document(&said);
        return;
    }
    line("added", format!("{} {}", it.name, it.version));
    if let Some(version) = replaced {
        line("replaced", version);
    }
    if !it.needs.is_empty() {
        line("needs", format!("{}, and reads their folders in /etc", it.needs.join(", ")));
    }
    if let Err(error) = plugin.installed() {
        line("but", error);
    }
    line("digest", &it.digest);
}

pub(crate) fn renderer_removed(name: &str, json: bool) {
    if json {
        document(&json!({"removed": name}));
        return;
    }
    line("removed", name);
}

/// One finding as it is made.
pub(crate) fn finding(finding: &Finding, json: bool) {
    if !json {
        match &finding.problem {
            None => line("ok", finding.what),
            Some(problem) => line("WRONG", format!("{}: {problem}", finding.what)),
        }
    }
}

pub(crate) fn findings(plugin: &Plugin, findings: &[Finding]) {
    document(&json!({"renderer": plugin.manifest().name, "digest": plugin.digest(), "findings": findings}));
}

pub(crate) fn exported(path: &Path, car: &Car, json: bool) {
    let roots: Vec<String> = car.roots.iter().map(ToString::to_string).collect();
    if json {
        document(&json!({ "car": path, "roots": roots, "blocks": car.blocks, "bytes": car.block_bytes }));
        return;
    }
    line("archive", path.display());
    line("blocks", format!("{}, {} bytes", car.blocks, car.block_bytes));
    for root in roots {
        line("root", root);
    }
}

pub(crate) fn imported(imported: &Imported, json: bool) {
    let Imported { archived, car, known } = imported;
    let recipe = seedstorm_sim::recipe::raw_cid(&archived.recipe);
    let (metadata, name) = match &archived.metadata {
        Some((cid, metadata)) => (Some(cid.to_string()), Some(&metadata.name)),
        None => (None, None),
    };
    if json {
        document(&json!({
            "bundle": archived.bundle.to_string(), "recipe": recipe.to_string(), "metadata": metadata, "name": name,
            "attestations": archived.attestations.len(), "blocks": car.blocks, "bytes": car.block_bytes, "known": known,
        }));
        return;
    }
    if let Some(name) = name {
        line("piece", name);
    }
    line("bundle", archived.bundle);
    line("recipe", recipe);
    if let Some(metadata) = metadata {
        line("metadata", metadata);
    }
    line("blocks", format!("{}, {} bytes{}", car.blocks, car.block_bytes, if *known { ", known before" } else { "" }));
}
