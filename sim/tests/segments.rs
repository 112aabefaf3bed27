//! Every segment of a run leads to the next checkpoint, and a forged one is found: by chance as often as is stated, and by
//! two histories that part at its very step.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use seedstorm_sim::{
    Backend, Digest, Film, Genome, Recipe, Seed, SimError, merkle,
    random::Stream,
    recipe::ParamValue::{self, Number, Text},
    resolve,
    scenario::Scenario,
    segment::{History, Parting, Replayer, Right, bisect, draw, odds},
    simulate,
    world::{Plan, World},
};

fn recipe(scenario: &str, params: &[(&str, ParamValue)]) -> Recipe {
    let mut recipe = Recipe::new(scenario, Seed::from(33), Film::DRAFT).unwrap();
    recipe.params = params.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
    recipe
}

fn bloom() -> Recipe {
    recipe("bloom@1", &[("arms", Number(7.0)), ("rings", Number(5.0)), ("footing", Text("hinged".into()))])
}

fn tempest() -> Recipe {
    recipe("tempest@1", &[("detail", Number(4.0))])
}

fn waltz() -> Recipe {
    recipe("waltz@1", &[("points", Number(4096.0)), ("bars", Number(3.0))])
}

fn flood() -> Recipe {
    recipe("flood@1", &[("coarse", Number(5.0)), ("built", Text("fort".into())), ("wave", Text("torrent".into()))])
}

fn plunge() -> Recipe {
    recipe("plunge@1", &[("coarse", Number(5.0)), ("matter", Text("cake".into())), ("heavy", Text("box".into()))])
}

/// The bytes of every checkpoint of a run, and its plan.
fn states(recipe: &Recipe) -> (Vec<Vec<u8>>, Plan) {
    let (scenario, genome) = resolve(recipe).unwrap();
    let plan = scenario.plan(&genome);
    (run(&mut *world(&*scenario, &genome), &plan, &[]), plan)
}

/// A beginning of a world: where many are forged, the rest of each would only take time.
fn beginning(recipe: &Recipe) -> Plan {
    let (scenario, genome) = resolve(recipe).unwrap();
    let plan = scenario.plan(&genome);
    Plan { steps: plan.steps.min(96), ..plan }
}

fn replayer(recipe: &Recipe, plan: Plan) -> Replayer {
    let (scenario, genome) = resolve(recipe).unwrap();
    Replayer::of(world(&*scenario, &genome), plan).unwrap()
}

fn world(scenario: &dyn Scenario, genome: &Genome) -> Box<dyn World> {
    scenario.world(genome, Backend::Cpu).unwrap()
}

/// The bytes of every checkpoint of a run in which the state is changed after each of the `forged` steps.
fn run(world: &mut dyn World, plan: &Plan, forged: &[u32]) -> Vec<Vec<u8>> {
    let mut states = vec![world.checkpoint().unwrap()];
    for step in 1..=plan.steps {
        world.advance(1).unwrap();
        if forged.contains(&step) {
            let at = weak_point(world, plan.checkpoint_every, f64::from(step % 10) / 10.0);
            forge(world, at);
        }
        if step.is_multiple_of(plan.checkpoint_every) {
            states.push(world.checkpoint().unwrap());
        }
    }
    states
}

/// Changes as little of a state as can be: the last bit of a number of it, at `at`.
fn forge(world: &mut dyn World, at: usize) {
    let mut state = world.checkpoint().unwrap();
    state[at] ^= 1;
    world.restore(&state).unwrap();
}

/// A place, about `share` of the way through the world's state, where a bit can be changed so that the change is still
/// there at the end of a segment: in a velocity, a place, a contact, a joint, a particle.
fn weak_point(world: &mut dyn World, segment: u32, share: f64) -> usize {
    let state = world.checkpoint().unwrap();
    world.advance(segment).unwrap();
    let next = world.checkpoint().unwrap();
    // Four bytes that would be a number of rapier's; of a kernel's words they are as good as others.
    let middling = |at: &usize| {
        let number = f32::from_le_bytes(state[*at..*at + 4].try_into().unwrap()).abs();
        (0.01..4.0).contains(&number)
    };
    let from = (state.len() as f64 * share) as usize;
    let places = (from..state.len() - 4).chain(0..from).filter(middling);
    let lasts = |at: &usize| {
        let mut forged = state.clone();
        forged[*at] ^= 1;
        // What does not come back as it is was no number.
        let there = world.restore(&forged).is_ok() && world.checkpoint().unwrap() == forged;
        there && world.advance(segment).is_ok() && world.checkpoint().unwrap() != next
    };
    let place = places.take(200).find(lasts).expect("a number that matters");
    world.restore(&state).unwrap();
    place
}

fn digests(states: &[Vec<u8>], plan: &Plan) -> Vec<Digest> {
    states.iter().zip(0..).map(|(state, at)| merkle::leaf(at * plan.checkpoint_every, state)).collect()
}

#[test]
fn every_checkpoint_leads_to_the_next() {
    for recipe in [bloom(), tempest(), waltz(), flood(), plunge()] {
        let run = simulate(&recipe, Backend::Cpu, &mut |_, _| true).unwrap();
        let (states, plan) = states(&recipe);
        assert_eq!(run.trajectory.checkpoints(), digests(&states, &plan));
        let mut replayer = Replayer::new(&recipe, Backend::Auto).unwrap();
        assert_eq!(replayer.first(), states[0]);
        let shown = plan.checkpoint_every / plan.snapshot_every;
        // In no order: nothing is left over from one to the next.
        for segment in
            (0..replayer.segments()).rev().step_by(2).chain((0..replayer.segments()).rev().skip(1).step_by(2))
        {
            let replayed = replayer.replay(segment, &states[segment as usize]).unwrap();
            assert!(replayed.checkpoint == states[segment as usize + 1], "{} {segment}", recipe.scenario);
            assert_eq!(replayed.digest, run.trajectory.checkpoints()[segment as usize + 1]);
            for (snapshot, at) in replayed.snapshots.iter().zip(segment * shown + 1..) {
                assert!(*snapshot == run.trajectory.snapshot(at as usize).unwrap(), "{} {at}", recipe.scenario);
            }
            assert_eq!(replayed.snapshots.len() as u32, shown);
        }
    }
}

#[test]
fn bytes_of_somebody_else_are_refused_in_words() {
    for recipe in [bloom(), tempest(), waltz(), flood(), plunge()] {
        let (states, _) = states(&recipe);
        let mut replayer = Replayer::new(&recipe, Backend::Cpu).unwrap();
        let refused = |replayer: &mut Replayer, segment, state: &[u8]| {
            let error = replayer.replay(segment, state).unwrap_err();
            assert!(matches!(error, SimError::Saved(_) | SimError::NotFinite { .. } | SimError::Kernel(_)), "{error}");
        };
        refused(&mut replayer, 1, &states[2]);
        refused(&mut replayer, 1, &[]);
        refused(&mut replayer, 1, &states[1][..states[1].len() - 1]);
        refused(&mut replayer, 1, &[states[1].as_slice(), &[0]].concat());
        let segments = replayer.segments();
        assert!(matches!(replayer.replay(segments, &states[1]), Err(SimError::NoSegment { .. })));
        // Whatever single byte is another, an answer comes: an error, or where such a state leads.
        let stream = Stream::new(&Seed::from(5), "bytes");
        let right = replayer.replay(1, &states[1]).unwrap();
        let trials = if recipe.scenario.name == "waltz" { 6 } else { 60 };
        for trial in 0..trials {
            let mut state = states[1].clone();
            let at = stream.below(trial, 0, state.len() as u32) as usize;
            state[at] ^= 1 << stream.below(trial, 1, 8);
            let _ = replayer.replay(1, &state);
        }
        assert!(replayer.replay(1, &states[1]).unwrap() == right, "nothing of it stays");
    }
}

/// A history with one forged step, which goes on honestly from there.
struct Forged {
    world: Box<dyn World>,
    plan: Plan,
    /// The step after which its state was changed, and where.
    forged: u32,
    at: usize,
    states: Vec<Vec<u8>>,
    digests: Vec<Digest>,
    asked: u32,
}

impl Forged {
    /// `honest` spares the way to the forgery.
    fn new(recipe: &Recipe, plan: Plan, honest: &[Vec<u8>], forged: u32, share: f64) -> Self {
        let (scenario, genome) = resolve(recipe).unwrap();
        let mut world = world(&*scenario, &genome);
        let begin = (forged - 1) / plan.checkpoint_every;
        world.restore(&honest[begin as usize]).unwrap();
        let (mut states, mut at) = (honest[..=begin as usize].to_vec(), 0);
        for step in begin * plan.checkpoint_every + 1..=plan.steps {
            world.advance(1).unwrap();
            if step == forged {
                at = weak_point(&mut *world, plan.checkpoint_every, share);
                forge(&mut *world, at);
            }
            if step.is_multiple_of(plan.checkpoint_every) {
                states.push(world.checkpoint().unwrap());
            }
        }
        let digests = digests(&states, &plan);
        Self { world, plan, forged, at, states, digests, asked: 0 }
    }
}

impl History for Forged {
    fn checkpoints(&self) -> &[Digest] {
        &self.digests
    }

    fn step(&mut self, step: u32) -> Result<Digest, SimError> {
        self.asked += 1;
        let begin = step / self.plan.checkpoint_every;
        self.world.restore(&self.states[begin as usize])?;
        for step in begin * self.plan.checkpoint_every + 1..=step {
            self.world.advance(1)?;
            if step == self.forged {
                forge(&mut *self.world, self.at);
            }
        }
        Ok(merkle::leaf(step, &self.world.checkpoint()?))
    }
}

/// An honest one.
struct Honest<'a> {
    replayer: Replayer,
    states: &'a [Vec<u8>],
    digests: Vec<Digest>,
}

impl<'a> Honest<'a> {
    fn new(recipe: &Recipe, plan: Plan, states: &'a [Vec<u8>]) -> Self {
        let replayer = replayer(recipe, plan);
        let digests = digests(states, replayer.plan());
        Self { replayer, states, digests }
    }
}

impl History for Honest<'_> {
    fn checkpoints(&self) -> &[Digest] {
        &self.digests
    }

    fn step(&mut self, step: u32) -> Result<Digest, SimError> {
        let every = self.replayer.plan().checkpoint_every;
        let segment = (step - 1) / every;
        let journal = self.replayer.journal(segment, &self.states[segment as usize])?;
        Ok(journal[(step - 1 - segment * every) as usize])
    }
}

#[test]
fn a_hundred_forgeries_are_found_to_their_step() {
    let stream = Stream::new(&Seed::from(9), "forgeries");
    let worlds = [(bloom(), 0..46), (tempest(), 46..76), (flood(), 76..86), (plunge(), 86..96), (waltz(), 96..100)];
    for (recipe, trials) in worlds {
        let plan = beginning(&recipe);
        let (scenario, genome) = resolve(&recipe).unwrap();
        let states = run(&mut *world(&*scenario, &genome), &plan, &[]);
        let mut honest = Honest::new(&recipe, plan, &states);
        let mut replayer = replayer(&recipe, plan);
        for trial in trials {
            let step = 1 + stream.below(trial, 0, plan.steps);
            let share = f64::from(stream.below(trial, 1, 1000)) / 1000.0;
            let mut forged = Forged::new(&recipe, plan, &states, step, share);
            let mut state = |checkpoint: u32| Ok(states[checkpoint as usize].clone());
            let expected = Parting { checkpoint: step.div_ceil(plan.checkpoint_every), step, right: Right::First };
            let found = bisect(&mut replayer, &mut honest, &mut forged, &mut state).unwrap();
            assert_eq!(found, Some(expected), "{}", recipe.scenario);
            assert!(forged.asked <= plan.checkpoint_every.next_power_of_two().ilog2(), "{} questions", forged.asked);
            if trial % 16 == 0 {
                let found = bisect(&mut replayer, &mut forged, &mut honest, &mut state).unwrap();
                assert_eq!(found, Some(Parting { right: Right::Second, ..expected }));
                // Two that are wrong in different ways.
                let mut other = Forged::new(&recipe, plan, &states, step, share);
                other.digests.iter_mut().skip(expected.checkpoint as usize).for_each(|digest| digest.0[0] ^= 1);
                let found = bisect(&mut replayer, &mut forged, &mut other, &mut state).unwrap().unwrap();
                assert_eq!((found.checkpoint, found.right), (expected.checkpoint, Right::Neither));
            }
        }
        assert_eq!(
            bisect(&mut replayer, &mut Honest::new(&recipe, plan, &states), &mut honest, &mut |_| panic!()).unwrap(),
            None
        );
    }
}

#[test]
fn a_false_beginning_is_held_against_the_recipe() {
    let recipe = waltz();
    let (states, plan) = states(&recipe);
    let (mut honest, mut other) = (Honest::new(&recipe, plan, &states), Honest::new(&recipe, plan, &states));
    other.digests[0].0[5] ^= 1;
    let mut replayer = Replayer::new(&recipe, Backend::Cpu).unwrap();
    let found = bisect(&mut replayer, &mut other, &mut honest, &mut |_| panic!()).unwrap();
    assert_eq!(found, Some(Parting { checkpoint: 0, step: 0, right: Right::Second }));
    // Both the same false one: neither is right, whatever follows.
    honest.digests[0] = other.digests[0];
    honest.digests[1].0[0] ^= 1;
    let found = bisect(&mut replayer, &mut other, &mut honest, &mut |_| panic!()).unwrap();
    assert_eq!(found, Some(Parting { checkpoint: 1, step: 0, right: Right::Neither }));
    honest.digests.pop();
    let found = bisect(&mut replayer, &mut other, &mut honest, &mut |_| panic!());
    assert!(
        matches!(found, Err(SimError::OtherPlan { found, .. }) if found == (plan.steps / plan.checkpoint_every) as usize)
    );
}

/// 12 forged segments of 120: 5 drawn find one in 41 % of all cases, 37 in 99 %.
#[test]
fn spot_checks_find_what_they_are_said_to_find() {
    let plan = |plan: Plan| Plan { steps: 720, snapshot_every: 6, checkpoint_every: 6, ..plan };
    let recipe = recipe("bloom@1", &[("arms", Number(5.0)), ("rings", Number(3.0))]);
    let (scenario, genome) = resolve(&recipe).unwrap();
    let plan = plan(scenario.plan(&genome));
    let stream = Stream::new(&Seed::from(12), "trials");
    let (histories, trials) = (10, 100);
    let mut found = [0; 2];
    for history in 0..histories {
        let forged = draw(120, 12, &Stream::new(&Seed::from(history), "forged"));
        let last_steps: Vec<u32> = forged.iter().map(|segment| (segment + 1) * plan.checkpoint_every).collect();
        let states = run(&mut *world(&*scenario, &genome), &plan, &last_steps);
        let claimed = digests(&states, &plan);
        let mut replayer = Replayer::of(world(&*scenario, &genome), plan).unwrap();
        let wrong: Vec<u32> = (0..120)
            .filter(|segment| {
                let at = *segment as usize;
                replayer.replay(*segment, &states[at]).unwrap().digest != claimed[at + 1]
            })
            .collect();
        assert_eq!(wrong, forged, "a segment is wrong where it was forged, and nowhere else");
        for trial in 0..trials {
            let seed = Seed::from(u64::from(stream.below(history * trials + trial, 0, u32::MAX)));
            for (found, count) in found.iter_mut().zip([5, 37]) {
                let drawn = draw(120, count, &Stream::new(&seed, "spot check"));
                *found += u32::from(drawn.iter().any(|segment| wrong.contains(segment)));
            }
        }
    }
    let [five, many] = found.map(|found| f64::from(found) / (histories * trials) as f64);
    println!("measured: 5 of 120 found {:.1} %, 37 found {:.1} %", five * 100.0, many * 100.0);
    assert!((five - 0.41).abs() <= 0.04, "{five}");
    assert!(many >= 0.98, "{many}");
    assert!((odds(120, 12, 5) - 0.415).abs() < 0.001 && odds(120, 12, 37) > 0.98);
    assert!((odds(10, 0, 10), odds(10, 1, 10), odds(10, 20, 1)) == (0.0, 1.0, 1.0));
}

#[test]
fn draws_are_fair_and_without_repeats() {
    let mut counts = [0; 12];
    for trial in 0..6000 {
        let drawn = draw(12, 5, &Stream::new(&Seed::from(trial), "fair"));
        assert!(drawn.len() == 5 && drawn.is_sorted_by(|a, b| a < b), "{drawn:?}");
        drawn.iter().for_each(|segment| counts[*segment as usize] += 1);
    }
    // 2,500 each, give or take 38 (one standard deviation).
    assert!(counts.iter().all(|count| (2310..2690).contains(count)), "{counts:?}");
    assert_eq!(draw(3, 9, &Stream::new(&Seed::from(1), "all")), [0, 1, 2]);
}
