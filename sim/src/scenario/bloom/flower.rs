//! Where everything in a bloom stands at first.

use crate::genome::Genome;

/// Radius of the innermost ring of tiles.
const INNER: f32 = 1.0;

/// Spacing along an arm as a share of a tile's height.
const SPACING: f32 = 0.56;

/// Tangent of the greatest angle between a ripple's arm and the radius.
const SWAY: f32 = 0.65;

/// Radius of the ring on which the stamens are hinged, their length, and their lean towards the axis, in radians.
pub(super) const STAMEN: (f32, f32, f32) = (0.47, 0.58, 0.36);

/// Rings whose tiles are taller than their size.
pub(super) const TALL_RINGS: usize = 16;

/// Where a tile stands: the middle of its base, the heading in which it falls (radians from +x towards −z), its size.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    pub(super) x: f32,
    pub(super) z: f32,
    pub(super) heading: f32,
    pub(super) size: f32,
    /// Its ring, from the innermost.
    pub(super) ring: usize,
}

/// How much taller than its size a tile of a ring is: the first few stand high, so that the stamens push them over
/// rather than pin them down, and each falls onto a lower one.
pub(super) fn tallness(ring: usize) -> f32 {
    if ring < TALL_RINGS { 1.0 + 1.2 * libm::expf(ring as f32 / -4.0) } else { 1.0 }
}

/// A seed's flower.
pub(super) struct Flower {
    /// Tile outline for a height of 1: half widths at the foot, the shoulder and the top, and the shoulder's height.
    pub(super) outline: [f32; 4],
    pub(super) half_thickness: f32,
    pub(super) places: Vec<Place>,
    pub(super) arms: usize,
    /// Radius beyond the last ring.
    pub(super) reach: f32,
    pub(super) hinged: bool,
    pub(super) gravity: f32,
}

impl Flower {
    pub(super) fn new(genome: &Genome) -> Self {
        let arms = genome.number("arms") as usize;
        let rings = genome.number("rings") as usize;
        let stream = genome.stream("bloom/form");
        // The angle of an arm against the radius.
        let (low, high) = match genome.text("form") {
            "sunburst" => (0.0, 0.0),
            "spiral" => (0.35, 0.62),
            "galaxy" => (0.8, 0.98),
            _ => (0.3, 0.45),
        };
        let side = if stream.unit(0, 1) < 0.5 { -1.0 } else { 1.0 };
        let twist = side * stream.between(0, 0, low, high) as f32;
        let (sin, cos) = libm::sincosf(twist);
        // Every form ends at about the same radius, however many rings there are.
        let reach = 13.0f32;
        let growth = libm::powf(reach / INNER, 1.0 / rings as f32);
        let lobes = if genome.is("form", "ripple") { 3.0 + f32::from(stream.below(0, 2, 4) as u16) } else { 0.0 };
        let mut places = Vec::with_capacity(arms * rings);
        for arm in 0..arms {
            let start = std::f32::consts::TAU * arm as f32 / arms as f32;
            for ring in 0..rings {
                let radius = INNER * libm::powf(growth, ring as f32);
                let swirl = libm::logf(radius) * sin / cos;
                // A ripple's arms swing to and fro instead of turning on.
                let (angle, lean) = if lobes > 0.0 {
                    let phase = libm::logf(radius) * lobes;
                    (start - SWAY / lobes * libm::cosf(phase) * side, libm::atanf(SWAY * libm::sinf(phase) * side))
                } else {
                    (start + swirl, twist)
                };
                let step = radius * (growth - 1.0) / libm::cosf(lean);
                let (s, c) = libm::sincosf(angle);
                places.push(Place { x: radius * c, z: -radius * s, heading: angle + lean, size: step / SPACING, ring });
            }
        }
        // As wide as the gap between two arms permits where they lean most, for a height of 1.
        let narrowest = if lobes > 0.0 { libm::cosf(libm::atanf(SWAY)) } else { cos };
        let height = (growth - 1.0) / narrowest / SPACING;
        let half = 0.44 * std::f32::consts::TAU * narrowest / arms as f32 / height;
        let outline = match genome.text("tile") {
            "slab" => [half, half, half, 0.9],
            "kite" => [half * 0.55, half, half * 0.30, 0.55],
            "fan" => [half * 0.55, half * 0.9, half, 0.9],
            _ => [half * 0.8, half, half * 0.62, 0.62],
        };
        Self {
            outline,
            half_thickness: 0.065,
            places,
            arms,
            reach,
            hinged: genome.is("footing", "hinged"),
            // Arms that lean are longer: they fall a little faster, so that every form ends in time.
            gravity: genome.number("gravity") as f32 / cos,
        }
    }

    pub(super) fn stamen_radius(&self) -> f32 {
        let (ring, length, lean) = STAMEN;
        let tips = ring - length * libm::sinf(lean);
        (0.7 * std::f32::consts::PI * tips / self.arms as f32).min(0.03)
    }

    pub(super) fn ball_radius() -> f32 {
        0.36
    }

    /// Tiles, then stamens, then the ball.
    pub(super) fn elements(&self) -> usize {
        self.places.len() + self.arms + 1
    }

    /// The tile for a size of 1, standing on the origin, facing +x: its corners, without bevels.
    pub(super) fn corners(&self, height: f32) -> Vec<[f32; 3]> {
        let [foot, shoulder, top, at] = self.outline;
        let mut corners = Vec::new();
        for x in [-self.half_thickness, self.half_thickness] {
            for (y, half) in [(0.0, foot), (at, shoulder), (1.0, top)] {
                corners.extend([[x, y * height, -half], [x, y * height, half]]);
            }
        }
        corners
    }
}

/// Triangles over [`Flower::corners`], counter-clockwise from outside.
pub(super) const TILE: [[u32; 3]; 20] = [
    // Back (x < 0), then front.
    [0, 1, 3],
    [0, 3, 2],
    [2, 3, 5],
    [2, 5, 4],
    [6, 9, 7],
    [6, 8, 9],
    [8, 11, 9],
    [8, 10, 11],
    // Foot and top.
    [0, 6, 7],
    [0, 7, 1],
    [4, 5, 11],
    [4, 11, 10],
    // Sides: −z, then +z.
    [0, 2, 8],
    [0, 8, 6],
    [2, 4, 10],
    [2, 10, 8],
    [1, 7, 9],
    [1, 9, 3],
    [3, 9, 11],
    [3, 11, 5],
];
