//! Where light comes from: the sky or the map around, the rectangular lights, the glowing spheres, the sun.
//!
//! A vertex draws one light for its shadow ray, in proportion to an estimate of the irradiance that each would give it
//! unshadowed; a sky without a map is left to scattering. The estimate costs a few products a light, so that a scene wants tens of rectangles, not thousands; of
//! glowing spheres it may have any number, see [`Glows`].

use seedstorm_sim::scene;

use crate::environment::Environment;
use crate::glow::{Ball, Glows};
use crate::vector::{Basis, Ray, Vec3, max, min, vec3};

/// A rectangle that emits from its front.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rectangle {
    pub(crate) center: Vec3,
    pub(crate) u: Vec3,
    pub(crate) v: Vec3,
    /// `u` and `v` over their squared lengths.
    pub(crate) u_dual: Vec3,
    pub(crate) v_dual: Vec3,
    pub(crate) normal: Vec3,
    pub(crate) area: f32,
    pub(crate) radiance: Vec3,
    pub(crate) power: f32,
    pub(crate) visible: bool,
}

/// A disc that is endlessly far away.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sun {
    pub(crate) toward: Vec3,
    /// 1 − cos of the angle from its middle to its rim.
    pub(crate) sagitta: f32,
    pub(crate) radiance: Vec3,
    /// Luminance × π sin² of that angle: what a surface that faces it gets.
    pub(crate) power: f32,
}

/// All lights of a scene.
#[derive(Debug, Clone)]
pub(crate) struct Lights {
    pub(crate) zenith: Vec3,
    pub(crate) horizon: Vec3,
    pub(crate) nadir: Vec3,
    pub(crate) rectangles: Vec<Rectangle>,
    pub(crate) glows: Glows,
    pub(crate) environment: Option<Environment>,
    pub(crate) sun: Option<Sun>,
    /// Whether there is nothing to aim at but rectangles.
    only_rectangles: bool,
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
    /// How far away.
    pub(crate) t: f32,
    light: usize,
}

/// The place from which lights are judged.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Receiver {
    pub(crate) position: Vec3,
    /// Of a surface.
    pub(crate) normal: Vec3,
    pub(crate) side: Side,
    /// When the path takes place, of the time that the shutter is open.
    pub(crate) time: f32,
}

/// From where light counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    /// The side of the normal.
    Front,
    /// Either side of a surface, by its cosine.
    Both,
    /// Everywhere alike: the receiver is no surface.
    All,
}

impl Receiver {
    /// The greatest height above the receiver's surface of what lies within `reach` of the place that is `to` away.
    #[inline]
    pub(crate) fn top(&self, to: Vec3, reach: f32) -> f32 {
        match self.side {
            Side::Front => to.dot(self.normal) + reach,
            Side::Both => to.dot(self.normal).abs() + reach,
            Side::All => to.length() + reach,
        }
    }
}

/// How far a shadow ray to the sky goes.
pub(crate) const ENDLESS: f32 = 1e30;

impl Lights {
    pub(crate) fn new(scene: &scene::Scene, balls: Vec<Ball>) -> Self {
        let (sky, lights) = (&scene.sky, &scene.lights);
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
        let environment = scene.environment.as_deref().map(Environment::new);
        let sun = scene.sun.map(|sun| {
            let (sin, cos) = libm::sincosf(sun.angular_radius);
            let radiance = Vec3::from(sun.radiance);
            let power = radiance.luminance() * std::f32::consts::PI * sin * sin;
            Sun { toward: Vec3::from(sun.toward).normalized(), sagitta: sin * sin / (1.0 + cos), radiance, power }
        });
        let only_rectangles = balls.is_empty() && environment.is_none() && sun.is_none();
        Self { zenith, horizon, nadir, rectangles, glows: Glows::new(balls), environment, sun, only_rectangles }
    }

    /// Radiance of the map in a unit direction, or of the gradient: from the horizon to either pole by the smoothstep of
    /// the height.
    #[inline]
    pub(crate) fn sky(&self, direction: Vec3) -> Vec3 {
        if let Some(map) = &self.environment {
            return map.radiance(direction);
        }
        let y = min(direction.y.abs(), 1.0);
        let pole = if direction.y < 0.0 { self.nadir } else { self.zenith };
        self.horizon.lerp(pole, y * y * (3.0 - 2.0 * y))
    }

    /// The estimate by which the map is drawn.
    #[inline]
    fn map_worth(&self, receiver: &Receiver) -> f32 {
        match &self.environment {
            Some(map) if receiver.side == Side::All => 4.0 * std::f32::consts::PI * map.mean,
            // Irradiance by the map's mean and lean alone, and never nothing.
            Some(map) => std::f32::consts::PI * max(map.mean + 2.0 * map.lean.dot(receiver.normal), 0.1 * map.mean),
            None => 0.0,
        }
    }

    /// The estimate by which a rectangle is drawn: 0 only where none of it can light the receiver.
    #[inline(always)]
    fn worth(light: &Rectangle, receiver: &Receiver) -> f32 {
        let to_light = light.center - receiver.position;
        let height = -to_light.dot(light.normal);
        if height <= 0.0 {
            return 0.0;
        }
        let top = receiver.top(to_light, light.u.dot(receiver.normal).abs() + light.v.dot(receiver.normal).abs());
        if top <= 0.0 {
            return 0.0;
        }
        let distance2 = to_light.length_squared();
        let distance = distance2.sqrt();
        let facing = min(height / distance, 1.0);
        let cos = min(top / distance, 1.0);
        light.power * facing * cos / (distance2 + 0.25 * light.area)
    }

    /// The estimate by which the sun is drawn.
    #[inline]
    fn sun_worth(sun: &Sun, receiver: &Receiver) -> f32 {
        sun.power * max(min(receiver.top(sun.toward, (2.0 * sun.sagitta).sqrt()), 1.0), 0.0)
    }

    /// The sum of all estimates.
    #[inline]
    fn total_worth(&self, receiver: &Receiver) -> f32 {
        let mut total = self.map_worth(receiver);
        for rectangle in &self.rectangles {
            total += Self::worth(rectangle, receiver);
        }
        total += self.glows.worth(receiver);
        if let Some(sun) = &self.sun {
            total += Self::sun_worth(sun, receiver);
        }
        total
    }

    /// Draws a direction toward a light; `None` where no light reaches. `choice` is asked for the number that chooses one
    /// of several.
    #[inline]
    pub(crate) fn sample(&self, receiver: &Receiver, choice: impl FnOnce() -> f32, u: [f32; 2]) -> Option<LightSample> {
        if let ([only], true) = (&self.rectangles[..], self.only_rectangles) {
            return if Self::worth(only, receiver) > 0.0 { only.sample(receiver, u, 1.0) } else { None };
        }
        self.sample_of_many(receiver, choice(), u)
    }

    fn sample_of_many(&self, receiver: &Receiver, choice: f32, u: [f32; 2]) -> Option<LightSample> {
        let map = self.map_worth(receiver);
        let total = self.total_worth(receiver);
        if total <= 0.0 {
            return None;
        }
        let mut left = choice * total - map;
        if left < 0.0 {
            return self.sample_map(u, map / total);
        }
        let mut chosen = None;
        for rectangle in &self.rectangles {
            let worth = Self::worth(rectangle, receiver);
            if worth > 0.0 {
                chosen = Some((rectangle, worth / total));
                left -= worth;
                if left < 0.0 {
                    return rectangle.sample(receiver, u, worth / total);
                }
            }
        }
        let glows = self.glows.worth(receiver);
        if glows > 0.0 && left < glows {
            return self.glows.sample(receiver, left / glows, u, glows / total);
        }
        let sun = self.sun.as_ref().map(|sun| (sun, Self::sun_worth(sun, receiver))).filter(|(_, worth)| *worth > 0.0);
        // Only rounding leads beyond the last one that there is.
        if let Some((sun, worth)) = sun {
            Some(sun.sample(u, worth / total))
        } else if glows > 0.0 {
            self.glows.sample(receiver, 0.999_999, u, glows / total)
        } else if let Some((rectangle, chosen)) = chosen {
            rectangle.sample(receiver, u, chosen)
        } else {
            self.sample_map(u, map / total)
        }
    }

    fn sample_map(&self, u: [f32; 2], chosen: f32) -> Option<LightSample> {
        let map = self.environment.as_ref()?;
        let direction = map.sample(u);
        let density = map.density(direction) * chosen;
        (density > 0.0).then(|| LightSample { direction, distance: ENDLESS, radiance: self.sky(direction), density })
    }

    /// Radiance of the sun in this direction, and the density with which [`Lights::sample`] would have drawn it; `None`
    /// where it is not.
    pub(crate) fn sun(&self, receiver: &Receiver, direction: Vec3) -> Option<(Vec3, f32)> {
        let sun = self.sun.as_ref()?;
        // Without the loss of digits that 1 − cos has.
        if (direction - sun.toward).length_squared() > 2.0 * sun.sagitta {
            return None;
        }
        let total = self.total_worth(receiver);
        let own = Self::sun_worth(sun, receiver);
        let density = if total > 0.0 { own / total / (std::f32::consts::TAU * sun.sagitta) } else { 0.0 };
        Some((sun.radiance, density))
    }

    /// The density with which [`Lights::sample`] would have drawn the sky in this direction: 0 where it has no map, since a
    /// smooth gradient has no peak to aim at, and scattering finds it as well as anything.
    pub(crate) fn sky_density(&self, receiver: &Receiver, direction: Vec3) -> f32 {
        match &self.environment {
            Some(map) => {
                let worth = self.map_worth(receiver);
                if worth > 0.0 { map.density(direction) * (worth / self.total_worth(receiver)) } else { 0.0 }
            }
            None => 0.0,
        }
    }

    /// The density with which [`Lights::sample`] would have drawn this light in this direction.
    pub(crate) fn density(&self, receiver: &Receiver, direction: Vec3, hit: &LightHit) -> f32 {
        let total = self.total_worth(receiver);
        let light = &self.rectangles[hit.light];
        let own = Self::worth(light, receiver);
        let cos = -direction.dot(light.normal);
        if own <= 0.0 || cos <= 1e-6 {
            return 0.0;
        }
        // From the receiver, which differs from where the ray starts by a hair.
        let distance = (light.center - receiver.position).dot(light.normal) / -cos;
        distance * distance / (cos * light.area) * (own / total)
    }

    /// The density with which [`Lights::sample`] would have drawn a direction to this ball.
    pub(crate) fn ball_density(&self, receiver: &Receiver, ball: u32) -> f32 {
        let own = self.glows.worth(receiver);
        if own <= 0.0 {
            return 0.0;
        }
        let total = self.total_worth(receiver);
        own / total * self.glows.density(receiver, ball)
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
                nearest = Some(LightHit { radiance: rectangle.radiance, t, light });
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

impl Sun {
    /// A direction spread evenly over the disc.
    fn sample(&self, u: [f32; 2], chosen: f32) -> LightSample {
        let below = u[0] * self.sagitta;
        let r = (below * (2.0 - below)).sqrt();
        let (sin, cos) = libm::sincosf(u[1] * std::f32::consts::TAU);
        let direction = Basis::around(self.toward).to_world(vec3(r * cos, r * sin, 1.0 - below)).normalized();
        let density = chosen / (std::f32::consts::TAU * self.sagitta);
        LightSample { direction, distance: ENDLESS, radiance: self.radiance, density }
    }
}

impl Rectangle {
    /// A direction to a point spread evenly over the rectangle.
    #[inline]
    fn sample(&self, receiver: &Receiver, u: [f32; 2], chosen: f32) -> Option<LightSample> {
        let point = self.center + self.u * (2.0 * u[0] - 1.0) + self.v * (2.0 * u[1] - 1.0);
        let to_light = point - receiver.position;
        let distance2 = to_light.length_squared();
        let distance = distance2.sqrt();
        let direction = to_light * (1.0 / distance);
        let cos = -direction.dot(self.normal);
        if cos <= 1e-6 || distance2 <= 0.0 {
            return None;
        }
        let density = distance2 / (cos * self.area) * chosen;
        Some(LightSample { direction, distance, radiance: self.radiance, density })
    }

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
