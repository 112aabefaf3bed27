//! Glowing spheres as lights: a tree of clusters, so that a shadow ray finds one of thousands in a few steps.
//!
//! After Conty Estevez and Kulla 2018, "Importance Sampling of Many Lights with Adaptive Tree Splitting", with spheres
//! around clusters and without splitting: from the root down, each step draws one of two halves in proportion to an
//! estimate of what each gives the receiver. A leaf weighs its spheres one by one.

use crate::light::{LightSample, Receiver};
use crate::shape;
use crate::vector::{Basis, Ray, Vec3, max, min, vec3};

/// A sphere that glows.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ball {
    pub(crate) center: Vec3,
    /// How far it goes while the shutter is open.
    pub(crate) shift: Vec3,
    pub(crate) radius: f32,
    pub(crate) radiance: Vec3,
    pub(crate) instance: u32,
    /// π r² × luminance.
    pub(crate) power: f32,
}

/// Most spheres of a leaf.
const LEAF: usize = 16;

/// A sphere around some of the balls, at every moment.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cluster {
    pub(crate) center: Vec3,
    pub(crate) radius: f32,
    pub(crate) power: f32,
    /// Of a leaf: how many balls; 0 where it is halved.
    pub(crate) count: u32,
    /// Of a leaf: the first ball. Otherwise the second half; the first half is the next cluster.
    pub(crate) place: u32,
}

/// All glowing spheres of a scene.
#[derive(Debug, Clone, Default)]
pub(crate) struct Glows {
    pub(crate) balls: Vec<Ball>,
    /// In pre-order.
    pub(crate) clusters: Vec<Cluster>,
}

impl Glows {
    pub(crate) fn new(mut balls: Vec<Ball>) -> Self {
        let mut clusters = Vec::new();
        if !balls.is_empty() {
            cluster(&mut balls, 0, &mut clusters);
        }
        Self { balls, clusters }
    }

    /// The estimate by which any of them is drawn: 0 only where none can light the receiver.
    #[inline]
    pub(crate) fn worth(&self, receiver: &Receiver) -> f32 {
        self.clusters.first().map_or(0.0, |_| self.worth_of(0, receiver))
    }

    #[inline]
    fn worth_of(&self, cluster: usize, receiver: &Receiver) -> f32 {
        let cluster = &self.clusters[cluster];
        if cluster.count > 0 {
            return self.balls_of(cluster).iter().fold(0.0, |sum, ball| sum + ball.worth(receiver));
        }
        let to = cluster.center - receiver.position;
        let top = receiver.top(to, cluster.radius);
        if top <= 0.0 {
            return 0.0;
        }
        let distance2 = to.length_squared();
        // From within, they are as far away as they are apart.
        let near = max(distance2, cluster.radius * cluster.radius);
        cluster.power * min(top / near.sqrt(), 1.0) / near
    }

    fn balls_of(&self, leaf: &Cluster) -> &[Ball] {
        &self.balls[leaf.place as usize..(leaf.place + leaf.count) as usize]
    }

    /// The chance of going to the first half, and the second half.
    #[inline]
    fn halves(&self, cluster: usize, receiver: &Receiver) -> (f32, usize) {
        let second = self.clusters[cluster].place as usize;
        let (first, other) = (self.worth_of(cluster + 1, receiver), self.worth_of(second, receiver));
        let total = first + other;
        (if total > 0.0 { first / total } else { 0.5 }, second)
    }

    /// Draws a direction toward one of them; they are drawn at all with the chance `chosen`. `u` is spread over [0, 1).
    pub(crate) fn sample(&self, receiver: &Receiver, mut u: f32, v: [f32; 2], mut chosen: f32) -> Option<LightSample> {
        let mut at = 0;
        while self.clusters.get(at)?.count == 0 {
            let (chance, second) = self.halves(at, receiver);
            if u < chance {
                (at, u, chosen) = (at + 1, u / chance, chosen * chance);
            } else {
                (at, u, chosen) = (second, (u - chance) / (1.0 - chance), chosen * (1.0 - chance));
            }
        }
        let total = self.worth_of(at, receiver);
        let mut left = u * total;
        let mut drawn = None;
        for ball in self.balls_of(&self.clusters[at]) {
            let worth = ball.worth(receiver);
            if worth > 0.0 {
                drawn = Some((ball, worth / total));
                left -= worth;
                if left < 0.0 {
                    break;
                }
            }
        }
        let (ball, share) = drawn?;
        ball.sample(receiver, v, chosen * share)
    }

    /// The density with which [`Glows::sample`] would have drawn a direction to this ball, were they drawn for certain.
    pub(crate) fn density(&self, receiver: &Receiver, ball: u32) -> f32 {
        let mut chance_of_it = 1.0;
        let mut at = 0;
        loop {
            let cluster = &self.clusters[at];
            if cluster.count > 0 {
                let ball = &self.balls[ball as usize];
                let own = ball.worth(receiver);
                if own <= 0.0 {
                    return 0.0;
                }
                let (_, sagitta) = ball.cone(receiver);
                return chance_of_it * own / self.worth_of(at, receiver) / (std::f32::consts::TAU * sagitta);
            }
            let (chance, second) = self.halves(at, receiver);
            let first_of_second = self.first_ball(second);
            (at, chance_of_it) = if ball < first_of_second {
                (at + 1, chance_of_it * chance)
            } else {
                (second, chance_of_it * (1.0 - chance))
            };
        }
    }

    /// The least number of a cluster's balls.
    #[inline]
    fn first_ball(&self, mut cluster: usize) -> u32 {
        while self.clusters[cluster].count == 0 {
            cluster += 1;
        }
        self.clusters[cluster].place
    }
}

/// Appends the clusters of `balls`, which are those from number `first` on, and orders them so.
fn cluster(balls: &mut [Ball], first: usize, clusters: &mut Vec<Cluster>) {
    let (mut low, mut high) = (Vec3::splat(f32::MAX), Vec3::splat(-f32::MAX));
    for ball in balls.iter() {
        let (from, to) = (ball.center, ball.center + ball.shift);
        low = low.min(from.min(to) - Vec3::splat(ball.radius));
        high = high.max(from.max(to) + Vec3::splat(ball.radius));
    }
    let extent = high - low;
    let own = clusters.len();
    let leaf = balls.len() <= LEAF;
    clusters.push(Cluster {
        center: (low + high) * 0.5,
        radius: extent.length() * 0.5,
        power: balls.iter().fold(0.0, |sum, ball| sum + ball.power),
        count: if leaf { balls.len() as u32 } else { 0 },
        place: first as u32,
    });
    if leaf {
        return;
    }
    let axis = if extent.x >= extent.y && extent.x >= extent.z {
        0
    } else if extent.y >= extent.z {
        1
    } else {
        2
    };
    let key = |ball: &Ball| ball.center.axis(axis);
    let half = balls.len() / 2;
    balls.select_nth_unstable_by(half, |a, b| key(a).total_cmp(&key(b)).then(a.instance.cmp(&b.instance)));
    let (a, b) = balls.split_at_mut(half);
    cluster(a, first, clusters);
    clusters[own].place = clusters.len() as u32;
    cluster(b, first + half, clusters);
}

impl Ball {
    #[inline]
    fn center_at(&self, time: f32) -> Vec3 {
        self.center + self.shift * time
    }

    /// The estimate by which it is drawn: 0 only where none of it can light the receiver, or from within.
    #[inline]
    fn worth(&self, receiver: &Receiver) -> f32 {
        let to = self.center_at(receiver.time) - receiver.position;
        let distance2 = to.length_squared();
        if distance2 <= self.radius * self.radius * 1.000_01 {
            return 0.0;
        }
        let top = receiver.top(to, self.radius);
        if top <= 0.0 {
            return 0.0;
        }
        self.power * min(top / distance2.sqrt(), 1.0) / distance2
    }

    /// Squared distance to the centre, and 1 − cos of the angle from it to the rim, whose digits survive where the ball
    /// looks small.
    #[inline]
    fn cone(&self, receiver: &Receiver) -> (f32, f32) {
        let distance2 = (self.center_at(receiver.time) - receiver.position).length_squared();
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
        let center = self.center_at(receiver.time);
        let toward = (center - receiver.position) * (1.0 / distance);
        let direction = Basis::around(toward).to_world(vec3(r * cos, r * sin, 1.0 - below)).normalized();
        let ray = Ray { origin: receiver.position, direction, time: receiver.time };
        // Rounding may put a direction to the rim beside it.
        let distance = shape::sphere(&ray, center, self.radius).map_or(distance, |[enter, _]| enter);
        let density = chosen / (std::f32::consts::TAU * sagitta);
        (distance > 0.0).then_some(LightSample { direction, distance, radiance: self.radiance, density })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::light::Side;

    fn field(count: u32) -> Glows {
        let place = |i: u32, by: u32| ((i * by) % 97) as f32 / 97.0 * 8.0 - 4.0;
        let ball = |i| Ball {
            center: vec3(place(i, 31), place(i, 57) + 6.0, place(i, 83)),
            shift: vec3(0.1, 0.0, 0.0),
            radius: 0.02 + 0.001 * (i % 30) as f32,
            radiance: Vec3::splat(1.0 + (i % 7) as f32),
            instance: i,
            power: 1.0 + (i % 5) as f32,
        };
        Glows::new((0..count).map(ball).collect())
    }

    /// Whatever is drawn is drawn with the density that is told of it, and every ball in sight can be drawn.
    #[test]
    fn what_is_drawn_has_the_density_that_is_told() {
        for count in [1, 16, 17, 500] {
            let glows = field(count);
            let receiver =
                Receiver { position: vec3(0.3, 0.0, 0.2), normal: vec3(0.0, 1.0, 0.0), side: Side::Front, time: 0.5 };
            let n = 20_000;
            let mut chances = vec![0.0; count as usize];
            for i in 0..n {
                let drawn = glows.sample(&receiver, (i as f32 + 0.5) / n as f32, [0.5, 0.5], 1.0).expect("a light");
                let near = |ball: &Ball| {
                    let to = (ball.center_at(0.5) - receiver.position).normalized();
                    (to - drawn.direction).length_squared()
                };
                let nearest = (0..count).filter(|&b| {
                    let ball = &glows.balls[b as usize];
                    let distance2 = (ball.center_at(0.5) - receiver.position).length_squared();
                    near(ball) < 0.6 * ball.radius * ball.radius / distance2 && ball.radiance == drawn.radiance
                });
                let told = nearest.map(|b| (b, glows.density(&receiver, b)));
                let (ball, _) = told
                    .min_by(|a, b| (a.1 - drawn.density).abs().total_cmp(&(b.1 - drawn.density).abs()))
                    .filter(|(_, density)| (density - drawn.density).abs() < 1e-3 * density)
                    .expect("the density of one of the balls in that direction");
                chances[ball as usize] += 1.0 / n as f32;
            }
            for (ball, chance) in (0..count).zip(chances) {
                let (_, sagitta) = glows.balls[ball as usize].cone(&receiver);
                let told = glows.density(&receiver, ball) * std::f32::consts::TAU * sagitta;
                assert!((told - chance).abs() < 0.001 + 0.02 * told, "{count}: {ball}: {chance}, but told {told}");
            }
        }
    }
}
