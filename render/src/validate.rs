//! Checks that a scene can be drawn, before anything is built from it.

use nalgebra::Similarity3;
use seedstorm_sim::scene::{
    AreaLight, Camera, Cloud, Environment, Fluid, Fog, Haze, Instance, Material, Mesh, Rgb, Scene, Shape, Sky, Sun,
};

use crate::error::RenderError;
use crate::vector::Vec3;

/// Coordinates beyond this leave floats too few digits for the distances between surfaces.
const FARTHEST: f32 = 1e9;
/// More triangles than this in one mesh, or instances in a scene, do not fit the hierarchy.
const MOST: usize = 1 << 30;

/// More texels than this take too long to make ready for every frame.
const MOST_TEXELS: usize = 1 << 22;

/// Clouds deeper than this could not be told from walls, and the cube of their depth would leave the range of floats.
const DEEPEST: f32 = 1e6;

type Checked = Result<(), RenderError>;

pub(crate) fn validate(scene: &Scene) -> Checked {
    camera(&scene.camera)?;
    sky(&scene.sky)?;
    if let Some(map) = &scene.environment {
        environment(map)?;
    }
    if let Some(disc) = &scene.sun {
        sun(disc)?;
    }
    in_range("exposure_stops", "exposure", scene.exposure_stops, -64.0, 64.0)?;
    for (i, l) in scene.lights.iter().enumerate() {
        light(l, &format!("light {i}"))?;
    }
    for (i, m) in scene.materials.iter().enumerate() {
        material(m, &format!("material {i}"))?;
    }
    for (i, m) in scene.meshes.iter().enumerate() {
        mesh(m, &format!("mesh {i}"))?;
    }
    if scene.instances.len() >= MOST {
        return Err(RenderError::scene("instances", format!("{} are too many", scene.instances.len())));
    }
    for (i, instance) in scene.instances.iter().enumerate() {
        // The name is made only where it is needed: there may be tens of thousands.
        check_instance(instance, scene).map_err(|problem| RenderError::scene(format!("instance {i}"), problem))?;
    }
    if !scene.moved.is_empty() && scene.moved.len() != scene.instances.len() {
        let problem = format!("there are {} for {} instances", scene.moved.len(), scene.instances.len());
        return Err(RenderError::scene("moved", problem));
    }
    for (i, pose) in scene.moved.iter().enumerate() {
        check_pose(pose).map_err(|problem| RenderError::scene(format!("moved {i}"), problem))?;
    }
    if let Some(f) = &scene.fog {
        fog(f)?;
    }
    if let Some(f) = &scene.fluid {
        fluid(f, scene.materials.len())?;
    }
    if let Some(h) = &scene.haze {
        haze(h)?;
    }
    Ok(())
}

fn in_range(place: &str, what: &str, x: f32, least: f32, most: f32) -> Checked {
    if x >= least && x <= most {
        Ok(())
    } else {
        Err(RenderError::scene(place, format!("{what} is {x}, but should lie in [{least}, {most}]")))
    }
}

fn near(place: &str, what: &str, p: Vec3) -> Checked {
    if p.is_finite() && p.abs().max_component() <= FARTHEST {
        Ok(())
    } else {
        Err(RenderError::scene(place, format!("{what} is {p:?}, but should be finite and within {FARTHEST:e}")))
    }
}

fn light_colour(place: &str, what: &str, colour: Rgb) -> Checked {
    if colour.iter().all(|&c| (0.0..=1e12).contains(&c)) {
        Ok(())
    } else {
        Err(RenderError::scene(place, format!("{what} is {colour:?}, but should lie in [0, 1e12]")))
    }
}

fn camera(camera: &Camera) -> Checked {
    near("camera", "eye", camera.eye.into())?;
    near("camera", "target", camera.target.into())?;
    near("camera", "up", camera.up.into())?;
    in_range("camera", "vertical_fov", camera.vertical_fov, 1e-4, 3.13)?;
    in_range("camera", "lens_radius", camera.lens_radius, 0.0, FARTHEST)?;
    in_range("camera", "focus_distance", camera.focus_distance, 1e-6, FARTHEST)
}

fn sky(sky: &Sky) -> Checked {
    light_colour("sky", "zenith", sky.zenith)?;
    light_colour("sky", "horizon", sky.horizon)?;
    light_colour("sky", "nadir", sky.nadir)?;
    if let Some(backdrop) = &sky.backdrop {
        light_colour("backdrop", "center", backdrop.center)?;
        light_colour("backdrop", "edge", backdrop.edge)?;
        in_range("backdrop", "middle x", backdrop.middle[0], -1e6, 1e6)?;
        in_range("backdrop", "middle y", backdrop.middle[1], -1e6, 1e6)?;
        in_range("backdrop", "radius", backdrop.radius, 1e-6, 1e6)?;
    }
    Ok(())
}

fn environment(map: &Environment) -> Checked {
    let place = "environment";
    let texels = map.width.checked_mul(map.height);
    if map.width < 2 || map.height < 2 || texels != Some(map.radiance.len()) || map.radiance.len() > MOST_TEXELS {
        let problem = format!(
            "it is {} × {} with {} texels, but should be at least 2 × 2 and at most {MOST_TEXELS} texels",
            map.width,
            map.height,
            map.radiance.len()
        );
        return Err(RenderError::scene(place, problem));
    }
    map.radiance.iter().try_for_each(|&texel| light_colour(place, "a texel", texel))
}

fn sun(sun: &Sun) -> Checked {
    near("sun", "its direction", sun.toward.into())?;
    if Vec3::from(sun.toward).length_squared() < 1e-12 {
        return Err(RenderError::scene("sun", "its direction should not be zero"));
    }
    in_range("sun", "angular_radius", sun.angular_radius, 1e-4, 0.5)?;
    light_colour("sun", "radiance", sun.radiance)
}

fn light(light: &AreaLight, place: &str) -> Checked {
    near(place, "center", light.center.into())?;
    near(place, "u", light.u.into())?;
    near(place, "v", light.v.into())?;
    light_colour(place, "radiance", light.radiance)?;
    let (u, v) = (Vec3::from(light.u), Vec3::from(light.v));
    let (lengths, area) = (u.length() * v.length(), u.cross(v).length());
    if !(area > 0.99 * lengths && area > 1e-12) {
        return Err(RenderError::scene(place, "u and v should be perpendicular and not zero"));
    }
    Ok(())
}

fn material(m: &Material, place: &str) -> Checked {
    for (what, x) in [
        ("metallic", m.metallic),
        ("roughness", m.roughness),
        ("transmission", m.transmission),
        ("subsurface", m.subsurface),
        ("coat", m.coat),
        ("coat_roughness", m.coat_roughness),
        ("sheen_roughness", m.sheen_roughness),
    ] {
        in_range(place, what, x, 0.0, 1.0)?;
    }
    for (what, colour) in [("base_color", m.base_color), ("sheen", m.sheen)] {
        for (channel, x) in ["red", "green", "blue"].into_iter().zip(colour) {
            in_range(place, &format!("{what} {channel}"), x, 0.0, 1.0)?;
        }
    }
    in_range(place, "ior", m.ior, 1.0, 3.0)?;
    for radius in m.subsurface_radius {
        in_range(place, "subsurface_radius", radius, 1e-6, FARTHEST)?;
    }
    in_range(place, "dispersion", m.dispersion, 0.0, 0.5)?;
    in_range(place, "film", m.film, 0.0, 5000.0)?;
    in_range(place, "film_ior", m.film_ior, 1.0, 3.0)?;
    light_colour(place, "absorption", m.absorption)?;
    light_colour(place, "emission", m.emission)
}

fn mesh(mesh: &Mesh, place: &str) -> Checked {
    let vertices = mesh.positions.len();
    if mesh.triangles.len() >= MOST || vertices > u32::MAX as usize {
        return Err(RenderError::scene(place, format!("{} triangles are too many", mesh.triangles.len())));
    }
    if !mesh.normals.is_empty() && mesh.normals.len() != vertices {
        return Err(RenderError::scene(place, format!("{} normals for {vertices} vertices", mesh.normals.len())));
    }
    if !mesh.colors.is_empty() && mesh.colors.len() != vertices {
        return Err(RenderError::scene(place, format!("{} colours for {vertices} vertices", mesh.colors.len())));
    }
    for (i, &p) in mesh.positions.iter().enumerate() {
        let p = Vec3::from(p);
        if !p.is_finite() || p.abs().max_component() > FARTHEST {
            return Err(RenderError::scene(place, format!("vertex {i} is {p:?}, but should be within {FARTHEST:e}")));
        }
    }
    if let Some(i) = mesh.normals.iter().position(|&n| !Vec3::from(n).is_finite()) {
        return Err(RenderError::scene(place, format!("normal {i} is not finite")));
    }
    if let Some(i) = mesh.colors.iter().position(|c| !c.iter().all(|&x| x >= 0.0 && x.is_finite())) {
        return Err(RenderError::scene(
            place,
            format!("colour {i} is {:?}, but should not be negative", mesh.colors[i]),
        ));
    }
    if let Some(i) = mesh.triangles.iter().position(|t| t.iter().any(|&v| v as usize >= vertices)) {
        return Err(RenderError::scene(
            place,
            format!("triangle {i} is {:?}, but there are {vertices} vertices", mesh.triangles[i]),
        ));
    }
    Ok(())
}

fn check_pose(pose: &Similarity3<f32>) -> Result<(), String> {
    let translation = Vec3::from(pose.isometry.translation.vector);
    if !translation.is_finite() || translation.abs().max_component() > FARTHEST {
        return Err(format!("its position is {translation:?}, but should be within {FARTHEST:e}"));
    }
    let scale = pose.scaling();
    if !(scale > 0.0 && scale <= FARTHEST) {
        return Err(format!("its scale is {scale}, but should be above 0"));
    }
    let q = pose.isometry.rotation.coords;
    let length2 = q.x * q.x + q.y * q.y + q.z * q.z + q.w * q.w;
    if !(length2 > 0.99 && length2 < 1.01) {
        return Err(format!("its rotation has length² {length2}, but should be a unit quaternion"));
    }
    Ok(())
}

fn check_instance(instance: &Instance, scene: &Scene) -> Result<(), String> {
    check_pose(&instance.pose)?;
    let size_ok = |x: f32| x > 0.0 && x <= FARTHEST;
    if instance.material >= scene.materials.len() {
        return Err(format!("it has material {}, but there are {}", instance.material, scene.materials.len()));
    }
    if !instance.tint.iter().chain(&instance.emission).all(|&x| (0.0..=1e12).contains(&x)) {
        return Err("its tint and emission should lie in [0, 1e12]".into());
    }
    match instance.shape {
        Shape::Sphere(radius) if !size_ok(radius) => Err(format!("its radius is {radius}, but should be above 0")),
        Shape::Capsule { half_height, radius } if !size_ok(radius) || !(0.0..=FARTHEST).contains(&half_height) => {
            Err(format!("it is a capsule of half height {half_height} and radius {radius}"))
        }
        Shape::Box(half) if !half.iter().all(|&h| size_ok(h)) => {
            Err(format!("its half extents are {:?}, but should be above 0", half.as_slice()))
        }
        Shape::Mesh(mesh) if mesh >= scene.meshes.len() => {
            Err(format!("it has mesh {mesh}, but there are {}", scene.meshes.len()))
        }
        _ => Ok(()),
    }
}

fn fluid(fluid: &Fluid, materials: usize) -> Checked {
    let place = "fluid";
    if fluid.material >= materials {
        return Err(RenderError::scene(
            place,
            format!("it has material {}, but there are {materials}", fluid.material),
        ));
    }
    if let Some(i) = fluid.colors.iter().position(|c| !c.iter().all(|&x| x >= 0.0 && x.is_finite())) {
        return Err(RenderError::scene(
            place,
            format!("colour {i} is {:?}, but should not be negative", fluid.colors[i]),
        ));
    }
    in_range(place, "spacing", fluid.spacing, 1e-6, FARTHEST)?;
    in_range(place, "share", fluid.share, 1e-3, 1.0)?;
    if let Some(i) = fluid.positions.iter().position(|&p| {
        let p = Vec3::from(p);
        !p.is_finite() || p.abs().max_component() > FARTHEST
    }) {
        return Err(RenderError::scene(place, format!("particle {i} is not within {FARTHEST:e}")));
    }
    Ok(())
}

fn fog(fog: &Fog) -> Checked {
    near("fog", "its least corner", fog.low.into())?;
    near("fog", "its greatest corner", fog.high.into())?;
    if fog.low.x > fog.high.x || fog.low.y > fog.high.y || fog.low.z > fog.high.z {
        return Err(RenderError::scene("fog", "its corners are the wrong way round"));
    }
    in_range("fog", "density", fog.density, 0.0, DEEPEST)?;
    in_range("fog", "anisotropy", fog.anisotropy, -0.95, 0.95)?;
    for share in fog.albedo {
        in_range("fog", "albedo", share, 0.0, 1.0)?;
    }
    Ok(())
}

fn haze(haze: &Haze) -> Checked {
    let place = "haze";
    in_range(place, "bloom", haze.bloom, 0.0, 1.0)?;
    if haze.clouds.len() >= MOST {
        return Err(RenderError::scene(place, format!("{} clouds are too many", haze.clouds.len())));
    }
    let good = |cloud: &Cloud| {
        let p = Vec3::from(cloud.position);
        p.is_finite()
            && p.abs().max_component() <= FARTHEST
            && cloud.radius > 0.0
            && cloud.radius <= FARTHEST
            && cloud.depth.iter().all(|c| (0.0..=DEEPEST).contains(c))
            && cloud.radiance.iter().all(|c| (0.0..=1e12).contains(c))
    };
    match haze.clouds.iter().position(|cloud| !good(cloud)) {
        Some(i) => Err(RenderError::scene(
            place,
            format!("cloud {i} is {:?}, but should be finite and not negative", haze.clouds[i]),
        )),
        None => Ok(()),
    }
}
