//! A world's particles by themselves are those of its scene, and lie where the device has them.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use seedstorm_sim::{
    Backend, Film, Recipe, Seed,
    fixed::ONE,
    gravity,
    matter::{Particle, WORDS},
    recipe::ParamValue,
    resolve,
    scenario::Stage,
    scene::{Particles as Apart, Seen, Shape},
    world::World,
};

fn recipe(scenario: &str, coarse: (&str, f64)) -> Recipe {
    let mut recipe = Recipe::new(scenario, Seed::from(13), Film::DRAFT).unwrap();
    recipe.params.insert(coarse.0.into(), ParamValue::Number(coarse.1));
    recipe
}

/// The particles of a checkpoint: they come first, after the step and how many there are.
fn places(checkpoint: &[u8]) -> Vec<Particle> {
    let words: Vec<i32> = checkpoint.as_chunks::<4>().0.iter().map(|bytes| i32::from_le_bytes(*bytes)).collect();
    words[2..].as_chunks::<WORDS>().0[..words[1] as usize].to_vec()
}

/// What the kernel has is in cells of the grid; a snapshot has it rounded to a share of one.
fn lie_where_the_kernel_has_them(apart: &Apart, kept: &[&[i32]], close: f32) {
    for (words, seen) in kept.iter().zip(&apart.places) {
        for (axis, word) in words.iter().enumerate() {
            let place = apart.corner[axis] + *word as f32 / ONE as f32 * apart.cell;
            assert!((place - seen[axis]).abs() < close * apart.cell);
        }
    }
}

type Moment = (Box<dyn World>, Box<dyn Stage>, Vec<f32>, Vec<f32>);

/// A world a snapshot after its first step, what draws it, its state then, and some rates.
fn moment(recipe: &Recipe) -> Moment {
    let (scenario, genome) = resolve(recipe).unwrap();
    let mut world = scenario.world(&genome, Backend::Cpu).unwrap();
    world.advance(scenario.plan(&genome).snapshot_every).unwrap();
    let values: Vec<f32> = world.snapshot().unwrap().iter().map(|number| *number as f32).collect();
    let rates = vec![1.0; values.len()];
    (world, scenario.stage(&genome), values, rates)
}

#[test]
fn what_is_apart_is_what_is_in_the_scene() {
    for recipe in [recipe("tempest@1", ("detail", 4.0)), recipe("flood@1", ("coarse", 4.0))] {
        let (mut world, stage, values, rates) = moment(&recipe);
        let whole = stage.scene(0.3, &values, &rates);
        let (bare, apart) = stage.apart(0.3, &values, &rates).unwrap();
        assert!(bare.fluid.is_none());
        assert_eq!(bare.camera, whole.camera);
        // Those that are seen are the liquid's, or balls of the scene.
        let fluid = whole.fluid.unwrap();
        let balls = &whole.instances[bare.instances.len()..];
        assert_eq!(bare.instances, whole.instances[..bare.instances.len()]);
        assert!(balls.iter().all(|ball| matches!(ball.shape, Shape::Sphere(_))));
        let Seen::Balls { radii, looks } = &apart.seen else { panic!("matter is balls") };
        assert_eq!(looks.iter().flat_map(|(_, material)| material).count(), fluid.positions.len() + balls.len());
        let all = apart.places.iter().zip(looks);
        let (centres, tints): (Vec<_>, Vec<_>) = all
            .filter(|(_, (_, material))| *material == Some(fluid.material))
            .map(|(place, (tint, _))| (*place, *tint))
            .unzip();
        assert_eq!((centres, tints), (fluid.positions, fluid.colors));
        assert!(radii.iter().all(|radius| *radius > 0.2 * apart.cell && *radius < 2.0 * apart.cell));
        assert_eq!(radii.len(), whole.materials.len());
        let states = places(&world.checkpoint().unwrap());
        assert_eq!(states.len(), apart.places.len());
        let kept: Vec<&[i32]> = states.iter().map(|state| &state[..3]).collect();
        lie_where_the_kernel_has_them(&apart, &kept, 1.0 / 50.0);
    }
}

#[test]
fn clouds_apart_are_those_of_the_haze() {
    let recipe = recipe("waltz@1", ("points", 4096.0));
    let (mut world, stage, values, rates) = moment(&recipe);
    let haze = stage.scene(0.3, &values, &rates).haze.unwrap();
    let (bare, apart) = stage.apart(0.3, &values, &rates).unwrap();
    assert!(bare.haze.is_none());
    let Seen::Clouds { puffs, .. } = &apart.seen else { panic!("points are clouds") };
    let clouds: Vec<_> = puffs.iter().map(|puff| puff.at(apart.places[puff.around as usize])).collect();
    assert_eq!(clouds, haze.clouds);
    let points = world.checkpoint().unwrap();
    let words: Vec<i32> = points.as_chunks::<4>().0.iter().map(|bytes| i32::from_le_bytes(*bytes)).collect();
    let states = words[2..].as_chunks::<{ gravity::WORDS }>().0;
    let kept: Vec<&[i32]> = states.iter().map(|state| &state[..3]).collect();
    lie_where_the_kernel_has_them(&apart, &kept, 1.0 / 200.0);
}

#[test]
fn worlds_of_bodies_have_no_particles() {
    let recipe = Recipe::new("bloom@1", Seed::from(1), Film::DRAFT).unwrap();
    let (_, stage, values, rates) = moment(&recipe);
    assert!(stage.apart(0.0, &values, &rates).is_none());
}

/// Needs an adapter, as `twins.rs` says.
#[cfg(feature = "gpu")]
#[test]
fn a_device_of_others_steps_the_same_world_where_they_can_see_it() {
    use seedstorm_sim::{gpu::Gpu, world::Device};

    let instance = wgpu::Instance::default();
    let adapter = match pollster::block_on(instance.request_adapter(&wgpu::RequestAdapterOptions::default())) {
        Ok(adapter) => adapter,
        Err(error) if std::env::var_os("SEEDSTORM_REQUIRE_GPU").is_none() => {
            eprintln!("not compared: {error}");
            return;
        }
        Err(error) => panic!("no adapter: {error}"),
    };
    let descriptor = wgpu::DeviceDescriptor { required_limits: adapter.limits(), ..Default::default() };
    let (device, queue) = pollster::block_on(adapter.request_device(&descriptor)).unwrap();
    let gpu = Gpu::lent(device.clone(), queue.clone(), &adapter.get_info());
    let (scenario, genome) = resolve(&recipe("tempest@1", ("detail", 4.0))).unwrap();
    let mut own = scenario.world(&genome, Backend::Cpu).unwrap();
    assert!(own.on_device().is_none());
    let mut lent = scenario.world_on(&genome, &Device::lent(Backend::Gpu, gpu)).unwrap();
    own.advance(5).unwrap();
    lent.advance(5).unwrap();
    assert_eq!(own.checkpoint().unwrap(), lent.checkpoint().unwrap());

    // What the device has can be copied with the device that was lent, and with no other.
    let there = lent.on_device().unwrap();
    let read = device.create_buffer(&wgpu::BufferDescriptor {
        label: None,
        size: there.buffer.size(),
        usage: wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST,
        mapped_at_creation: false,
    });
    let mut encoder = device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
    encoder.copy_buffer_to_buffer(&there.buffer, 0, &read, 0, there.buffer.size());
    queue.submit([encoder.finish()]);
    read.slice(..).map_async(wgpu::MapMode::Read, |done| done.unwrap());
    device.poll(wgpu::PollType::wait_indefinitely()).unwrap();
    let words: Vec<i32> = bytemuck::pod_collect_to_vec(&read.slice(..).get_mapped_range());
    assert_eq!(there.stride as usize, WORDS);
    let states = places(&lent.checkpoint().unwrap());
    assert_eq!(words.as_chunks::<WORDS>().0, states);
}
