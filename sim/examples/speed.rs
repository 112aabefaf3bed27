//! Times a world: `speed SCENARIO SEED [steps]`.
use seedstorm_sim::*;
fn main() {
    let args: Vec<String> = std::env::args().collect();
    let mut recipe = Recipe::new(&args[1], args[2].parse().unwrap(), Film::DRAFT).unwrap();
    for kv in &args[3..] { let (k, v) = kv.split_once('=').unwrap(); recipe.params.insert(k.into(), v.parse().map_or_else(|_| recipe::ParamValue::Text(v.into()), recipe::ParamValue::Number)); }
    let (_, genome) = resolve(&recipe).unwrap();
    for t in &genome.traits { print!("{}={} ", t.name, t.value); }
    for t in &genome.params { print!("{}={} ", t.name, t.value); }
    println!();
    let t = std::time::Instant::now();
    let run = simulate(&recipe, Backend::Cpu, &mut |s, n| { if s % 96 == 0 { println!("{s}/{n} {:?}", t.elapsed()); } true });
    match run { Ok(run) => { println!("{} {} MB {} elements {:?} {}", run.sim_root, run.trajectory.as_bytes().len() as f64 / 1e6, run.trajectory.elements(), t.elapsed(), run.backend);
      std::fs::write(format!("/tmp/{}-{}.traj", &args[1], &args[2]), run.trajectory.as_bytes()).unwrap(); std::fs::write(format!("/tmp/{}-{}.json", &args[1], &args[2]), recipe.canonical()).unwrap(); }
      Err(e) => println!("{e}") }
}
