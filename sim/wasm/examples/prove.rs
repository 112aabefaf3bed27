//! Runs the world of a seed on this machine and prints what `node run.mjs` prints under WebAssembly:
//! `cargo run --release --package seedstorm-sim-wasm --example prove -- bloom 7`.

use std::error::Error;

use seedstorm_sim::{Film, Recipe, scenario};
use seedstorm_sim_wasm::Session;

fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [name, seed] = &words[..] else { return Err("which scenario and seed?".into()) };
    let newest = scenario::newest(name)?;
    let recipe = Recipe::new(&format!("{name}@{}", newest.version()), seed.parse()?, Film::DRAFT)?;
    let mut session = Session::new(&recipe.canonical())?;
    while session.advance()? {}
    println!("{}", serde_json::to_string(&session.finish()?)?);
    Ok(())
}
