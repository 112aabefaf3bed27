//! Looking around: the film's own camera, and how far somebody has turned, moved and come nearer since.

use bevy::math::{Quat, Vec2, Vec3};
use seedstorm_sim::scene::Camera;

use super::look::{point, vector};

/// How somebody looks, beside how the film does.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Orbit {
    /// Turned around the subject and up, radians.
    pub turn: Vec2,
    /// Moved across the picture, in distances to the subject.
    pub shift: Vec2,
    /// Factor on that distance.
    pub near: f32,
}

impl Default for Orbit {
    fn default() -> Self {
        Self { turn: Vec2::ZERO, shift: Vec2::ZERO, near: 1.0 }
    }
}

impl Orbit {
    /// The pointer dragged by so many points, of a view so high.
    pub fn drag(&mut self, by: Vec2, height: f32) {
        self.turn -= by * (std::f32::consts::PI / height.max(1.0));
        self.turn.y = self.turn.y.clamp(-3.0, 3.0);
    }

    pub fn pan(&mut self, by: Vec2, height: f32) {
        self.shift += Vec2::new(-by.x, by.y) * (self.near * 0.6 / height.max(1.0));
    }

    /// The wheel turned by so many notches.
    pub fn zoom(&mut self, notches: f32) {
        self.near = (self.near * 0.9_f32.powf(notches)).clamp(0.1, 6.0);
    }

    /// Eye, target and up.
    pub fn place(&self, film: &Camera) -> [Vec3; 3] {
        let (target, up) = (point(film.target), vector(film.up).normalize_or(Vec3::Y));
        let away = point(film.eye) - target;
        let right = up.cross(away).normalize_or(Vec3::X);
        // Never over the top, where up and down would change places.
        let steep = away.angle_between(up);
        let rise = (steep + self.turn.y).clamp(0.05, std::f32::consts::PI - 0.05) - steep;
        let turned = Quat::from_axis_angle(up, self.turn.x) * Quat::from_axis_angle(right, rise) * away;
        let across = up.cross(turned).normalize_or(Vec3::X);
        let upward = turned.cross(across).normalize_or(up);
        let shift = (across * self.shift.x + upward * self.shift.y) * away.length();
        [target + shift + turned * self.near, target + shift, up]
    }
}

#[cfg(test)]
mod tests {
    use nalgebra::{Point3, Vector3};

    use super::*;

    const FILM: Camera = Camera {
        eye: Point3::new(0.0, 1.0, 5.0),
        target: Point3::new(0.0, 1.0, 0.0),
        up: Vector3::new(0.0, 1.0, 0.0),
        vertical_fov: 0.6,
        lens_radius: 0.0,
        focus_distance: 5.0,
    };

    #[test]
    fn nobody_who_has_not_moved_sees_the_film() {
        let [eye, target, _] = Orbit::default().place(&FILM);
        assert!((eye - Vec3::new(0.0, 1.0, 5.0)).length() < 1e-5 && (target - Vec3::Y).length() < 1e-5);
    }

    #[test]
    fn turning_keeps_the_distance_and_never_goes_over_the_top() {
        let mut orbit = Orbit::default();
        for _ in 0..40 {
            orbit.drag(Vec2::new(31.0, 77.0), 600.0);
            let [eye, target, up] = orbit.place(&FILM);
            assert!(((eye - target).length() - 5.0).abs() < 1e-3);
            assert!((eye - target).angle_between(up) > 0.04);
        }
        orbit.zoom(1e3);
        assert!(orbit.near >= 0.1);
    }
}
