//! Where light comes from: the gradient sky and the rectangular lights.
//!
//! A vertex draws one light for its shadow ray, in proportion to an estimate of the irradiance that each would give it
//! unshadowed. The estimate costs a few products a light, so that a scene wants tens of lights, not thousands.

use seedstorm_sim::scene;

use crate::vector::{Basis, Ray, Vec3, max, min, vec3};

/// A rectangle that emits from its front.
#[derive(Debug, Clone, Copy)]
struct Rectangle {
    center: Vec3,
    u: Vec3,
    v: Vec3,
    /// `u` and `v` over their squared lengths.
    u_dual: Vec3,
    v_dual: Vec3,
    normal: Vec3,
    area: f32,
    radiance: Vec3,
    power: f32,
    visible: bool,
}

/// All lights of a scene.
#[derive(Debug, Clone)]
pub(crate) struct Lights {
    zenith: Vec3,
    horizon: Vec3,
    nadir: Vec3,
    sky_is_black: bool,
    rectangles: Vec<Rectangle>,
}

/// A direction toward a light.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LightSample {
    pub(crate) direction: Vec3,
    /// How far the light is; endless for the sky.
    pub(crate) distance: f32,
    pub(crate) radiance: Vec3,
    /// Over solid angle, the choice of the light included.
    pub(crate) density: f32,
}

/// A light that a ray meets.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LightHit {
    pub(crate) radiance: Vec3,
    light: usize,
}

/// The place from which lights are judged.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Receiver {
    pub(crate) position: Vec3,
    pub(crate) normal: Vec3,
    /// Whether light from behind the normal counts too.
    pub(crate) translucent: bool,
}

/// How far a shadow ray to the sky goes.
pub(crate) const ENDLESS: f32 = 1e30;

impl Lights {
    pub(crate) fn new(sky: &scene::Sky, lights: &[scene::AreaLight]) -> Self {
        let [zenith, horizon, nadir] = [sky.zenith, sky.horizon, sky.nadir].map(Vec3::from);
        let rectangles = lights
            .iter()
            .map(|light| {
                let (u, v) = (Vec3::from(light.u), Vec3::from(light.v));
                let area = 4.0 * u.cross(v).length();
                let radiance = Vec3::from(light.radiance);
                Rectangle {
                    center: light.center.into(),
                    u,
                    v,
                    u_dual: u * (1.0 / u.length_squared()),
                    v_dual: v * (1.0 / v.length_squared()),
                    normal: u.cross(v).normalized(),
                    area,
                    radiance,
                    power: area * radiance.luminance(),
                    visible: light.visible,
                }
            })
            .collect();
        let sky_is_black = [zenith, horizon, nadir].iter().all(|c| c.luminance() <= 0.0);
        Self { zenith, horizon, nadir, sky_is_black, rectangles }
    }

    /// Radiance of the gradient in a unit direction: from the horizon to either pole by the smoothstep of the height.
    #[inline]
    pub(crate) fn sky(&self, direction: Vec3) -> Vec3 {
        let y = min(direction.y.abs(), 1.0);
        let pole = if direction.y < 0.0 { self.nadir } else { self.zenith };
        self.horizon.lerp(pole, y * y * (3.0 - 2.0 * y))
    }

    /// The estimate by which the sky is drawn.
    #[inline]
    fn sky_worth(&self, receiver: &Receiver) -> f32 {
        if self.sky_is_black {
            return 0.0;
        }
        let toward = self.sky(receiver.normal).luminance() + self.horizon.luminance();
        std::f32::consts::FRAC_PI_2 * max(toward, 1e-6)
    }

    /// The estimate by which a rectangle is drawn: 0 only where none of it can light the receiver.
    #[inline]
    fn worth(light: &Rectangle, receiver: &Receiver) -> f32 {
        let to_light = light.center - receiver.position;
        let height = -to_light.dot(light.normal);
        if height <= 0.0 {
            return 0.0;
        }
        let along = to_light.dot(receiver.normal);
        let reach = light.u.dot(receiver.normal).abs() + light.v.dot(receiver.normal).abs();
        let top = if receiver.translucent { along.abs() + reach } else { along + reach };
        if top <= 0.0 {
            return 0.0;
        }
        let distance2 = to_light.length_squared();
        let distance = distance2.sqrt();
        let facing = min(height / distance, 1.0);
        let cos = min(top / distance, 1.0);
        light.power * facing * cos / (distance2 + 0.25 * light.area)
    }

    /// Draws a direction toward a light; `None` where no light reaches.
    pub(crate) fn sample(&self, receiver: &Receiver, choice: f32, u: [f32; 2]) -> Option<LightSample> {
        let sky = self.sky_worth(receiver);
        let mut total = sky;
        for light in &self.rectangles {
            total += Self::worth(light, receiver);
        }
        if total <= 0.0 {
            return None;
        }
        let mut left = choice * total - sky;
        if left < 0.0 {
            return self.sample_sky(receiver, u, sky / total);
        }
        let mut chosen = None;
        for light in &self.rectangles {
            let worth = Self::worth(light, receiver);
            if worth > 0.0 {
                chosen = Some((light, worth));
                left -= worth;
                if left < 0.0 {
                    break;
                }
            }
        }
        let Some((light, worth)) = chosen else {
            // Only rounding leads here.
            return self.sample_sky(receiver, u, sky / total);
        };
        let point = light.center + light.u * (2.0 * u[0] - 1.0) + light.v * (2.0 * u[1] - 1.0);
        let to_light = point - receiver.position;
        let distance2 = to_light.length_squared();
        let distance = distance2.sqrt();
        let direction = to_light * (1.0 / distance);
        let cos = -direction.dot(light.normal);
        if cos <= 1e-6 || distance2 <= 0.0 {
            return None;
        }
        let density = distance2 / (cos * light.area) * (worth / total);
        Some(LightSample { direction, distance, radiance: light.radiance, density })
    }

    /// A smooth gradient has no peak to aim at: the cosine is what matters.
    fn sample_sky(&self, receiver: &Receiver, u: [f32; 2], chosen: f32) -> Option<LightSample> {
        let (sin, cos) = libm::sincosf(u[0] * std::f32::consts::TAU);
        let r = u[1].sqrt();
        let z = max(1.0 - u[1], 0.0).sqrt();
        let direction = Basis::around(receiver.normal).to_world(vec3(r * cos, r * sin, z)).normalized();
        let density = max(direction.dot(receiver.normal), 0.0) * std::f32::consts::FRAC_1_PI * chosen;
        (density > 0.0).then(|| LightSample { direction, distance: ENDLESS, radiance: self.sky(direction), density })
    }

    /// The density with which [`Lights::sample`] would have drawn the sky in this direction.
    pub(crate) fn sky_density(&self, receiver: &Receiver, direction: Vec3) -> f32 {
        let sky = self.sky_worth(receiver);
        if sky <= 0.0 {
            return 0.0;
        }
        let mut total = sky;
        for light in &self.rectangles {
            total += Self::worth(light, receiver);
        }
        max(direction.dot(receiver.normal), 0.0) * std::f32::consts::FRAC_1_PI * (sky / total)
    }

    /// The density with which [`Lights::sample`] would have drawn this light in this direction.
    pub(crate) fn density(&self, receiver: &Receiver, direction: Vec3, hit: &LightHit) -> f32 {
        let mut total = self.sky_worth(receiver);
        let mut own = 0.0;
        for (index, light) in self.rectangles.iter().enumerate() {
            let worth = Self::worth(light, receiver);
            total += worth;
            if index == hit.light {
                own = worth;
            }
        }
        let light = &self.rectangles[hit.light];
        let cos = -direction.dot(light.normal);
        if own <= 0.0 || cos <= 1e-6 {
            return 0.0;
        }
        // From the receiver, which differs from where the ray starts by a hair.
        let distance = (light.center - receiver.position).dot(light.normal) / -cos;
        distance * distance / (cos * light.area) * (own / total)
    }

    /// The nearest light whose front the ray meets before `limit`, or at equal distance the first.
    #[inline]
    pub(crate) fn intersect(&self, ray: &Ray, limit: f32, from_camera: bool) -> Option<LightHit> {
        let mut nearest = None;
        let mut limit = limit;
        for (light, rectangle) in self.rectangles.iter().enumerate() {
            if from_camera && !rectangle.visible {
                continue;
            }
            if let Some(t) = rectangle.meets(ray, limit) {
                limit = t;
                nearest = Some(LightHit { radiance: rectangle.radiance, light });
            }
        }
        nearest
    }

    /// Whether the front of a light stands in the way.
    #[inline]
    pub(crate) fn occlude(&self, ray: &Ray, limit: f32) -> bool {
        self.rectangles.iter().any(|rectangle| rectangle.meets(ray, limit).is_some())
    }
}

impl Rectangle {
    #[inline]
    fn meets(&self, ray: &Ray, limit: f32) -> Option<f32> {
        let slope = ray.direction.dot(self.normal);
        if slope >= -1e-6 {
            return None;
        }
        let t = (self.center - ray.origin).dot(self.normal) / slope;
        if !(t > 0.0 && t < limit) {
            return None;
        }
        let p = ray.at(t) - self.center;
        (p.dot(self.u_dual).abs() <= 1.0 && p.dot(self.v_dual).abs() <= 1.0).then_some(t)
    }
}
