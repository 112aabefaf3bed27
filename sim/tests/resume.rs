//! A simulation that is saved and resumed ends in the same bits as one that was never stopped.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use seedstorm_sim::{
    Backend, Film, Recipe, Seal, Seed, SimError, Simulation,
    recipe::ParamValue::{self, Number, Text},
    simulate,
};

const SEAL: Seal = Seal([3; 32]);

fn recipe(scenario: &str, params: &[(&str, ParamValue)]) -> Recipe {
    let mut recipe = Recipe::new(scenario, Seed::from(21), Film::DRAFT).unwrap();
    recipe.params = params.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
    recipe
}

fn small_worlds() -> Vec<Recipe> {
    let hinged = [("arms", Number(9.0)), ("rings", Number(6.0)), ("footing", Text("hinged".into()))];
    vec![recipe("bloom@1", &hinged), recipe("tempest@1", &[("detail", Number(4.0))]), small_waltz()]
}

fn small_waltz() -> Recipe {
    recipe("waltz@1", &[("points", Number(4096.0)), ("bars", Number(24.0))])
}

/// Every state that can be saved on the way.
fn saves(recipe: &Recipe) -> Vec<Vec<u8>> {
    let mut simulation = Simulation::new(recipe, Backend::Cpu).unwrap();
    let mut saves = Vec::new();
    while simulation.advance().unwrap() {
        if simulation.can_be_saved() {
            saves.push(simulation.save(&SEAL).unwrap());
        }
    }
    saves
}

#[test]
fn a_resumed_simulation_is_the_same() {
    for recipe in small_worlds() {
        let whole = simulate(&recipe, Backend::Cpu, &mut |_, _| true).unwrap();
        let saves = saves(&recipe);
        assert!(saves.len() > 2);
        for at in [0, saves.len() / 2, saves.len() - 1] {
            let mut simulation = Simulation::resume(&recipe, Backend::Cpu, &saves[at], &SEAL).unwrap();
            assert!(simulation.step() > 0);
            while simulation.advance().unwrap() {}
            let run = simulation.finish().unwrap();
            assert_eq!(run.sim_root, whole.sim_root, "{} from save {at}", recipe.scenario);
            assert_eq!(run.trajectory.as_bytes(), whole.trajectory.as_bytes());
        }
    }
}

/// A kernel's state goes from one backend to another.
#[test]
#[cfg(feature = "gpu")]
fn a_simulation_changes_its_backend() {
    use seedstorm_sim::gpu::{Gpu, Products};
    if let Err(error) = Gpu::open(Products::Auto) {
        assert!(std::env::var_os("SEEDSTORM_REQUIRE_GPU").is_none(), "no adapter: {error}");
        return;
    }
    for recipe in [recipe("tempest@1", &[("detail", Number(4.0))]), small_waltz()] {
        let whole = simulate(&recipe, Backend::Cpu, &mut |_, _| true).unwrap();
        let saves = saves(&recipe);
        let mut simulation = Simulation::resume(&recipe, Backend::Gpu, &saves[saves.len() / 2], &SEAL).unwrap();
        while simulation.advance().unwrap() {}
        let run = simulation.finish().unwrap();
        assert_eq!(run.sim_root, whole.sim_root, "{}", recipe.scenario);
        assert!(run.backend.starts_with("cpu, then wgpu"), "{}", run.backend);
    }
}

#[test]
fn what_was_saved_is_not_trusted() {
    let [bloom, tempest, _] = small_worlds().try_into().unwrap();
    let save = saves(&bloom).swap_remove(2);
    let refused = |recipe: &Recipe, bytes: &[u8]| {
        matches!(Simulation::resume(recipe, Backend::Cpu, bytes, &SEAL), Err(SimError::Saved(_)))
    };
    assert!(refused(&tempest, &save), "a save of another world");
    assert!(refused(&bloom, &save[..save.len() - 1]), "a save that is cut short");
    assert!(refused(&bloom, &[]), "an empty save");
    let elsewhere = Simulation::resume(&bloom, Backend::Cpu, &save, &Seal([4; 32]));
    assert!(matches!(elsewhere, Err(SimError::Saved(_))), "a save of somebody else");
    let longer = SEAL.apply(&[&save[Seal::HEAD..], b"more"].concat());
    assert!(refused(&bloom, &longer), "a save that goes on after its end");
    for at in [0, 9, 45, save.len() / 2, save.len() - 1] {
        let mut forged = save.clone();
        forged[at] ^= 4;
        assert!(refused(&bloom, &forged), "a bit of byte {at}");
    }
}

/// A tempest's save whose state has other words, each with its place, under a seal that is right.
fn tempest_with(words: &[(usize, i32)]) -> Result<Simulation, SimError> {
    let [_, recipe, _] = small_worlds().try_into().unwrap();
    let mut simulation = Simulation::new(&recipe, Backend::Cpu).unwrap();
    while simulation.step() == 0 || !simulation.can_be_saved() {
        simulation.advance().unwrap();
    }
    let mut save = simulation.save(&SEAL).unwrap();
    let state = save.len() - simulation.checkpoint().unwrap().len();
    for (at, word) in words {
        save[state + 4 * at..][..4].copy_from_slice(&word.to_le_bytes());
    }
    Simulation::resume(&recipe, Backend::Cpu, &SEAL.apply(&save[Seal::HEAD..]), &SEAL)
}

/// Found by the fuzz target `checkpoint`: these overflowed in the next step.
#[test]
fn a_particle_that_no_step_leaves_is_refused() {
    // The state begins with its step and the number of particles; then position, velocity, gradient and density of each.
    assert!(tempest_with(&[]).is_ok());
    for word in [2, 5, 7, 8, 16, 17] {
        for value in [i32::MAX, i32::MIN] {
            assert!(matches!(tempest_with(&[(word, value)]), Err(SimError::Saved(_))), "word {word} as {value}");
        }
    }
}

/// The world's own step decides which forces come next: past the last, there are none.
#[test]
fn a_state_of_another_step_is_refused() {
    assert!(matches!(tempest_with(&[(0, -1)]), Err(SimError::Saved(_))));
    let mut last = tempest_with(&[(0, 768)]).unwrap();
    assert!(matches!(last.advance(), Err(SimError::Saved(_))));
}
