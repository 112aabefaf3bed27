//! A simulation that is saved and resumed ends in the same bits as one that was never stopped.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use seedstorm_sim::{
    Backend, Film, Recipe, Seed, SimError, Simulation,
    recipe::ParamValue::{self, Number, Text},
    simulate,
};

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
            saves.push(simulation.save().unwrap());
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
            let mut simulation = Simulation::resume(&recipe, Backend::Cpu, &saves[at]).unwrap();
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
    use seedstorm_sim::fluid::gpu::{Gpu, Products};
    if let Err(error) = Gpu::open(Products::Auto) {
        assert!(std::env::var_os("SEEDSTORM_REQUIRE_GPU").is_none(), "no adapter: {error}");
        return;
    }
    for recipe in [recipe("tempest@1", &[("detail", Number(4.0))]), small_waltz()] {
        let whole = simulate(&recipe, Backend::Cpu, &mut |_, _| true).unwrap();
        let saves = saves(&recipe);
        let mut simulation = Simulation::resume(&recipe, Backend::Gpu, &saves[saves.len() / 2]).unwrap();
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
        matches!(Simulation::resume(recipe, Backend::Cpu, bytes), Err(SimError::Saved(_)))
    };
    assert!(refused(&tempest, &save), "a save of another world");
    assert!(refused(&bloom, &save[..save.len() - 1]), "a save that is cut short");
    assert!(refused(&bloom, &[]), "an empty save");
    for at in [0, 9, 45, save.len() / 2, save.len() - 1] {
        let mut forged = save.clone();
        forged[at] ^= 4;
        assert!(refused(&bloom, &forged), "a bit of byte {at}");
    }
}
