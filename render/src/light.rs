//! Where light comes from: the sky or the map around, the rectangular lights, the brightest glowing spheres, the sun.
//!
//! A vertex draws one light for its shadow ray, in proportion to an estimate of the irradiance that each would give it
//! unshadowed. The estimate costs a few products a light, so that a scene wants tens of lights, not thousands.

use seedstorm_sim::scene;

use crate::environment::Environment;
use crate::shape;
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

/// A sphere that emits outward; part of the scene's geometry too.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ball {
    pub(crate) center: Vec3,
    pub(crate) radius: f32,
    pub(crate) radiance: Vec3,
    /// π r² × luminance.
    pub(crate) power: f32,
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

/// A sphere that glows.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Glow {
    pub(crate) center: Vec3,
    pub(crate) radius: f32,
    pub(crate) radiance: Vec3,
    pub(crate) instance: u32,
}

/// Most glowing spheres that shadow rays are aimed at; the others are found by paths only.
const MOST_BALLS: usize = 16;

/// All lights of a scene.
#[derive(Debug, Clone)]
pub(crate) struct Lights {
    pub(crate) zenith: Vec3,
    pub(crate) horizon: Vec3,
    pub(crate) nadir: Vec3,
    pub(crate) sky_is_black: bool,
    pub(crate) rectangles: Vec<Rectangle>,
    pub(crate) balls: Vec<Ball>,
    pub(crate) environment: Option<Environment>,
    pub(crate) sun: Option<Sun>,
    /// The instances of `balls`.
    ball_instances: Vec<u32>,
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
    /// Of the glowing spheres, those of the most power are taken, earlier ones first among equals.
    pub(crate) fn new(scene: &scene::Scene, mut glows: Vec<Glow>) -> Self {
        let (sky, lights) = (&scene.sky, &scene.lights);
        let glow_power = |g: &Glow| g.radiance.luminance() * (std::f32::consts::PI * g.radius * g.radius);
        glows.sort_by(|a, b| glow_power(b).total_cmp(&glow_power(a)).then(a.instance.cmp(&b.instance)));
        glows.truncate(MOST_BALLS);
        let balls = glows
            .iter()
            .map(|g| Ball { center: g.center, radius: g.radius, radiance: g.radiance, power: glow_power(g) })
            .collect();
        let ball_instances = glows.iter().map(|g| g.instance).collect();
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
        let sky_is_black = match &environment {
            Some(map) => map.mean <= 0.0,
            None => [zenith, horizon, nadir].iter().all(|c| c.luminance() <= 0.0),
        };
        let sun = scene.sun.map(|sun| {
            let (sin, cos) = libm::sincosf(sun.angular_radius);
            let radiance = Vec3::from(sun.radiance);
            let power = radiance.luminance() * std::f32::consts::PI * sin * sin;
            Sun { toward: Vec3::from(sun.toward).normalized(), sagitta: sin * sin / (1.0 + cos), radiance, power }
        });
        Self { zenith, horizon, nadir, sky_is_black, rectangles, balls, environment, sun, ball_instances }
    }

    /// Which of the spheres that shadow rays are aimed at an instance is.
    #[inline]
    pub(crate) fn ball_of(&self, instance: u32) -> Option<u32> {
        self.ball_instances.iter().position(|&i| i == instance).map(|ball| ball as u32)
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

    /// The estimate by which the sky is drawn.
    #[inline]
    fn sky_worth(&self, receiver: &Receiver) -> f32 {
        if self.sky_is_black {
            return 0.0;
        }
        if let Some(map) = &self.environment {
            // Irradiance by the map's mean and lean alone, and never nothing.
            let leaning = map.mean + 2.0 * map.lean.dot(receiver.normal);
            return std::f32::consts::PI * max(leaning, 0.1 * map.mean);
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

    /// The estimate by which a sphere is drawn: 0 only where none of it can light the receiver, or from within.
    #[inline]
    fn ball_worth(ball: &Ball, receiver: &Receiver) -> f32 {
        let to_ball = ball.center - receiver.position;
        let distance2 = to_ball.length_squared();
        if distance2 <= ball.radius * ball.radius * 1.000_01 {
            return 0.0;
        }
        let along = to_ball.dot(receiver.normal);
        let top = if receiver.translucent { along.abs() } else { along } + ball.radius;
        if top <= 0.0 {
            return 0.0;
        }
        ball.power * min(top / distance2.sqrt(), 1.0) / distance2
    }

    /// The estimate by which the sun is drawn.
    #[inline]
    fn sun_worth(sun: &Sun, receiver: &Receiver) -> f32 {
        let along = sun.toward.dot(receiver.normal);
        let top = if receiver.translucent { along.abs() } else { along } + (2.0 * sun.sagitta).sqrt();
        sun.power * max(top, 0.0)
    }

    /// The rectangles, then the spheres, then the sun.
    #[inline]
    fn count(&self) -> usize {
        self.rectangles.len() + self.balls.len() + usize::from(self.sun.is_some())
    }

    /// The estimate for light number `light`.
    #[inline]
    fn worth_of(&self, light: usize, receiver: &Receiver) -> f32 {
        if let Some(rectangle) = self.rectangles.get(light) {
            return Self::worth(rectangle, receiver);
        }
        match (self.balls.get(light - self.rectangles.len()), &self.sun) {
            (Some(ball), _) => Self::ball_worth(ball, receiver),
            (None, Some(sun)) => Self::sun_worth(sun, receiver),
            (None, None) => 0.0,
        }
    }

    /// The sum of all estimates.
    #[inline]
    fn total_worth(&self, receiver: &Receiver, sky: f32) -> f32 {
        let mut total = sky;
        for light in 0..self.count() {
            total += self.worth_of(light, receiver);
        }
        total
    }

    /// Draws a direction toward a light; `None` where no light reaches.
    pub(crate) fn sample(&self, receiver: &Receiver, choice: f32, u: [f32; 2]) -> Option<LightSample> {
        let sky = self.sky_worth(receiver);
        let total = self.total_worth(receiver, sky);
        if total <= 0.0 {
            return None;
        }
        let mut left = choice * total - sky;
        if left < 0.0 {
            return self.sample_sky(receiver, u, sky / total);
        }
        let mut chosen = None;
        for light in 0..self.count() {
            let worth = self.worth_of(light, receiver);
            if worth > 0.0 {
                chosen = Some((light, worth / total));
                left -= worth;
                if left < 0.0 {
                    break;
                }
            }
        }
        let Some((light, chosen)) = chosen else {
            // Only rounding leads here.
            return self.sample_sky(receiver, u, sky / total);
        };
        if let Some(rectangle) = self.rectangles.get(light) {
            return rectangle.sample(receiver, u, chosen);
        }
        match (self.balls.get(light - self.rectangles.len()), &self.sun) {
            (Some(ball), _) => ball.sample(receiver, u, chosen),
            (None, Some(sun)) => Some(sun.sample(u, chosen)),
            (None, None) => None,
        }
    }

    /// A smooth gradient has no peak to aim at: the cosine is what matters. Of a map, every other sample goes where it is
    /// bright.
    fn sample_sky(&self, receiver: &Receiver, u: [f32; 2], chosen: f32) -> Option<LightSample> {
        let (u, bright) = match &self.environment {
            None => (u, None),
            Some(map) => {
                let twice = 2.0 * u[0];
                if twice < 1.0 { ([twice, u[1]], None) } else { ([twice - 1.0, u[1]], Some(map)) }
            }
        };
        let direction = if let Some(map) = bright {
            map.sample(u)
        } else {
            let (sin, cos) = libm::sincosf(u[0] * std::f32::consts::TAU);
            let r = u[1].sqrt();
            let z = max(1.0 - u[1], 0.0).sqrt();
            Basis::around(receiver.normal).to_world(vec3(r * cos, r * sin, z)).normalized()
        };
        let density = self.sky_density_alone(receiver, direction) * chosen;
        (density > 0.0).then(|| LightSample { direction, distance: ENDLESS, radiance: self.sky(direction), density })
    }

    /// The density with which the sky draws this direction, once it is chosen.
    #[inline]
    fn sky_density_alone(&self, receiver: &Receiver, direction: Vec3) -> f32 {
        let by_cosine = max(direction.dot(receiver.normal), 0.0) * std::f32::consts::FRAC_1_PI;
        match &self.environment {
            None => by_cosine,
            Some(map) => 0.5 * (by_cosine + map.density(direction)),
        }
    }

    /// Radiance of the sun in this direction, and the density with which [`Lights::sample`] would have drawn it; `None`
    /// where it is not.
    pub(crate) fn sun(&self, receiver: &Receiver, direction: Vec3) -> Option<(Vec3, f32)> {
        let sun = self.sun.as_ref()?;
        // Without the loss of digits that 1 − cos has.
        if (direction - sun.toward).length_squared() > 2.0 * sun.sagitta {
            return None;
        }
        let total = self.total_worth(receiver, self.sky_worth(receiver));
        let own = Self::sun_worth(sun, receiver);
        let density = if total > 0.0 { own / total / (std::f32::consts::TAU * sun.sagitta) } else { 0.0 };
        Some((sun.radiance, density))
    }

    /// The density with which [`Lights::sample`] would have drawn the sky in this direction.
    pub(crate) fn sky_density(&self, receiver: &Receiver, direction: Vec3) -> f32 {
        let sky = self.sky_worth(receiver);
        if sky <= 0.0 {
            return 0.0;
        }
        let total = self.total_worth(receiver, sky);
        self.sky_density_alone(receiver, direction) * (sky / total)
    }

    /// The density with which [`Lights::sample`] would have drawn this light in this direction.
    pub(crate) fn density(&self, receiver: &Receiver, direction: Vec3, hit: &LightHit) -> f32 {
        let total = self.total_worth(receiver, self.sky_worth(receiver));
        let own = self.worth_of(hit.light, receiver);
        let light = &self.rectangles[hit.light];
        let cos = -direction.dot(light.normal);
        if own <= 0.0 || cos <= 1e-6 {
            return 0.0;
        }
        // From the receiver, which differs from where the ray starts by a hair.
        let distance = (light.center - receiver.position).dot(light.normal) / -cos;
        distance * distance / (cos * light.area) * (own / total)
    }

    /// The density with which [`Lights::sample`] would have drawn a direction to the sphere of this instance; `None` if
    /// shadow rays are not aimed at it.
    pub(crate) fn ball_density(&self, receiver: &Receiver, instance: u32) -> Option<f32> {
        let ball = self.ball_of(instance)? as usize;
        let own = Self::ball_worth(&self.balls[ball], receiver);
        if own <= 0.0 {
            return Some(0.0);
        }
        let total = self.total_worth(receiver, self.sky_worth(receiver));
        let (_, sagitta) = self.balls[ball].cone(receiver);
        Some(own / total / (std::f32::consts::TAU * sagitta))
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

impl Ball {
    /// Squared distance to the centre, and 1 − cos of the angle from it to the rim, whose digits survive where the ball
    /// looks small.
    #[inline]
    fn cone(&self, receiver: &Receiver) -> (f32, f32) {
        let distance2 = (self.center - receiver.position).length_squared();
        let sin2 = min(self.radius * self.radius / distance2, 1.0);
        (distance2, max(sin2 / (1.0 + (1.0 - sin2).sqrt()), 1e-12))
    }

    /// A direction spread evenly over the cone that the sphere fills.
    fn sample(&self, receiver: &Receiver, u: [f32; 2], chosen: f32) -> Option<LightSample> {
        let (distance2, sagitta) = self.cone(receiver);
        let distance = distance2.sqrt();
        let below = u[0] * sagitta;
        let r = (below * (2.0 - below)).sqrt();
        let (sin, cos) = libm::sincosf(u[1] * std::f32::consts::TAU);
        let toward = (self.center - receiver.position) * (1.0 / distance);
        let direction = Basis::around(toward).to_world(vec3(r * cos, r * sin, 1.0 - below)).normalized();
        let ray = Ray { origin: receiver.position, direction };
        // Rounding may put a direction to the rim beside it.
        let distance = shape::sphere(&ray, self.center, self.radius).map_or(distance, |[enter, _]| enter);
        let density = chosen / (std::f32::consts::TAU * sagitta);
        (distance > 0.0).then_some(LightSample { direction, distance, radiance: self.radiance, density })
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
