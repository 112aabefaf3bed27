//! Rigid bodies in matter: where their surfaces are in the grid, and what passes between them and the nodes.
//!
//! **A shape**, in the body's own frame, is convex planes (outward normal Q30, offset Q24), or, where it has none, the
//! segment from −`half` to `half` along y; either is inflated by `radius`. A body has its centre and velocity (Q24),
//! its turn `R` (rows, Q30), and its angular velocity (Q24, per step).
//!
//! **Depth.** With `d = node − centre`, of which no component exceeds `reach`, and `l = Rᵀd` (`mul30`, summed over the
//! rows), the distance to a plane is `Σ mul30(l, normal) − offset`, and that to the planes the largest of them. From a
//! segment, `l_y −= clamp(l_y, −half, half)`, the distance is `root(s) << 3`, `s` the sum of `mul30(l, l)` (Q18, unsigned),
//! and the normal `div24(l, distance) << 6`; at distance 0 it is y. Either is lessened by
//! `radius`. The body of the smallest distance counts at a node, the first of equal ones.
//!
//! **Contact.** Where the distance is below 1 and the node has mass, with `w = V + Ω × d` (`mul24`, limited to
//! ±`MAX_SPEED`) and `e = u − w`, each normal `n`, turned by `R`, takes away what goes inwards: `s = Σ mul30(e, n)`, and where
//! `s < 0`, `e −= mul30(n, s)`. The normals are the segment's one, or those of the nearest plane, of all that the node is
//! beyond, and, for a node inside, of all that it is less than 1½ cells behind: at an edge both of its faces hold, as what
//! meets one there must not slip in past the other. Where any did, `e −= mul24(e, friction)`; with the whole change of `e`
//! since, `c`, `u += mul24(c, give)`. The node's impulse on the body is `j = −mul24(m, mul24(c, give))` (Q24), its moment
//! `d × j` (`mul30`, Q18); both are summed in 64 bits.
//!
//! Nodes up to a cell outside are held because the pressure of what lies against a surface acts on the nodes on either side
//! of it, one half each: held on one side only, a body would feel half of it, and what is outside would be drawn in.
//!
//! `give` is what keeps light bodies stable, though a step takes the body's speed for given: the matter around it pushes as
//! two masses meet that share their momentum, and not as at a wall.
//!
//! **Particles** that end a step inside a body (its distance negative) are set on its surface: `x += mul30(n, −distance)`,
//! with the segment's normal or the first of the nearest planes, and `x` is limited again. Nodes alone do not keep them out:
//! a particle moves with those beyond the surface too, and seeps in. Momentum stays what it was.
//!
//! **The mass that a body stands for** at a node is `mul24(cell mass, spread)` with the share of a quadratic B-spline
//! around the node that lies within a plane at this distance `δ`, limited to ±1½: with `a = |δ|`, `½ − ¾a + a³/3`
//! where `a < ½` and `(1½ − a)³/6` elsewhere, one minus that within; cubes are `mul24(mul24(a, a), a)`, the parts
//! `mul24(·, ⅓)` and `mul24(·, ⅙)`.
//!
//! **Bounds.** A reach is at most 40 cells, so no component of `d` exceeds 41½, and `d` and `l` are no longer than 72; with
//! a plane's offset that stays below 112. `|Ω| ≤ ¼` along each axis, so `w` stays below 2·41½·¼ + `MAX_SPEED` < 22 before
//! it is limited. No component of `e` exceeds 1.9, so `|e| ≤ 1.9·√3 < 3.3`. What a normal takes away is a projection and
//! friction a scaling, so `|e|` never grows, whatever the number of planes, and `|c| ≤ 2·3.3`: no impulse is longer than
//! 21·2·1.9·√3 < 138.3. A component of `c` is one of the first `e` less one of the last: of an impulse it is at most
//! 21·(1.9 + 3.3) < 110. A component of a moment sees two of `d`: it is at most 41½·√2·138.3 < 8,150 < 2¹³.

use crate::fixed::{ONE, ONE30, div24, mul24, mul30, root};

use super::{MAX_SPEED, Node};

/// Cells along a block of the grid for which the bodies near it are listed.
pub const BLOCK: u32 = 8;

/// How far a surface is felt on either side, Q24 cells.
const FELT: i32 = ONE / 2 * 3;

/// How far from a surface nodes are held by it, Q24 cells.
const HELD: i32 = ONE;

/// Largest reach of a body, in cells.
pub const MAX_REACH: i32 = 40;

/// A body as the matter sees it in one step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C)]
pub struct Collider {
    /// Its centre, Q24 cells.
    pub center: [i32; 3],
    /// Its turn, row by row, Q30.
    pub turn: [i32; 9],
    /// Its velocity, Q24 cells a step.
    pub velocity: [i32; 3],
    /// Its angular velocity, Q24 per step.
    pub spin: [i32; 3],
    /// Where its planes begin.
    pub first_plane: u32,
    /// How many planes it has; 0 for a segment.
    pub planes: u32,
    /// By how much its shape is inflated, Q24 cells.
    pub radius: i32,
    /// Half of its segment, Q24 cells.
    pub half: i32,
    /// How far it reaches from its centre, Q24 cells.
    pub reach: i32,
    /// Share of a contact's change that takes effect, Q24.
    pub give: i32,
    /// Share of the tangential speed lost in a contact, Q24.
    pub friction: i32,
}

/// What matter did to a body in one step: linear (Q24) and angular (Q18) impulse.
pub type Impulse = [i64; 6];

/// The bodies in one step.
#[derive(Debug, Clone, Default)]
pub struct Colliders {
    /// The bodies, in their order.
    pub bodies: Vec<Collider>,
    /// The planes of all shapes: normal (Q30), offset (Q24).
    pub planes: Vec<[i32; 4]>,
    /// Where each block's bodies begin in `listed`; one more than there are blocks, x slowest.
    starts: Vec<u32>,
    /// The bodies near each block, in their order.
    listed: Vec<u32>,
}

/// The nearest body of a node.
struct Contact {
    body: usize,
    distance: i32,
    from_center: [i32; 3],
}

impl Colliders {
    /// Lists the bodies near each block of a grid of `cells`, once they are where they are in this step.
    pub fn list(&mut self, cells: u32) {
        let blocks = cells.div_ceil(BLOCK);
        // A surface is felt one and a half cells away.
        let margin = 2 * ONE;
        let range = |body: &Collider, axis: usize| {
            let block = |x: i64| (x >> 24).div_euclid(i64::from(BLOCK)).clamp(-1, i64::from(blocks));
            let (center, reach) = (i64::from(body.center[axis]), i64::from(body.reach) + i64::from(margin));
            block(center - reach).max(0)..(block(center + reach) + 1).min(i64::from(blocks))
        };
        let mut pairs = Vec::new();
        for (body, id) in self.bodies.iter().zip(0u32..) {
            for x in range(body, 0) {
                for y in range(body, 1) {
                    for z in range(body, 2) {
                        pairs.push((((x as u32 * blocks) + y as u32) * blocks + z as u32, id));
                    }
                }
            }
        }
        pairs.sort_unstable();
        self.starts = vec![0; (blocks * blocks * blocks) as usize + 1];
        for (block, _) in &pairs {
            self.starts[*block as usize + 1] += 1;
        }
        for block in 1..self.starts.len() {
            self.starts[block] += self.starts[block - 1];
        }
        self.listed = pairs.into_iter().map(|(_, id)| id).collect();
    }

    /// Where each block's bodies begin in [`Colliders::listed`].
    #[must_use]
    pub fn starts(&self) -> &[u32] {
        &self.starts
    }

    /// The bodies near each block.
    #[must_use]
    pub fn listed(&self) -> &[u32] {
        &self.listed
    }

    /// The most bodies that blocks can list together, whatever their places.
    #[must_use]
    pub fn most_listed(&self, cells: u32) -> usize {
        let blocks = cells.div_ceil(BLOCK) as usize;
        let across = |body: &Collider| ((2 * (body.reach / ONE + 3)) as usize / BLOCK as usize + 2).min(blocks);
        self.bodies.iter().map(|body| across(body) * across(body) * across(body)).sum()
    }

    /// The bodies near the block of a node.
    #[inline(always)]
    pub(super) fn near(&self, cells: u32, node: [usize; 3]) -> &[u32] {
        let blocks = cells.div_ceil(BLOCK) as usize;
        let [x, y, z] = node.map(|i| i / BLOCK as usize);
        let block = (x * blocks + y) * blocks + z;
        &self.listed[self.starts[block] as usize..self.starts[block + 1] as usize]
    }

    /// The contact of a node at `place` (Q24) with the nearest of the bodies `near` it, where one is within 1½ cells.
    fn contact(&self, near: &[u32], place: [i32; 3]) -> Option<Contact> {
        let mut nearest: Option<Contact> = None;
        for id in near {
            let body = &self.bodies[*id as usize];
            let d: [i32; 3] = std::array::from_fn(|axis| place[axis].wrapping_sub(body.center[axis]));
            let reach = body.reach + FELT;
            if d.iter().any(|c| !(-reach..=reach).contains(c)) {
                continue;
            }
            let distance = body.distance(&self.planes, body.local(d));
            if distance < FELT && nearest.as_ref().is_none_or(|found| distance < found.distance) {
                nearest = Some(Contact { body: *id as usize, distance, from_center: d });
            }
        }
        nearest
    }

    /// Sets a particle at `place` onto the surface of the body that it is in, if it is in one.
    #[inline(always)]
    pub(super) fn expel(&self, cells: u32, place: &mut [i32; 3]) {
        let near = self.near(cells, place.map(|x| (x >> 24) as usize));
        if near.is_empty() {
            return;
        }
        let Some(contact) = self.contact(near, *place).filter(|contact| contact.distance < 0) else { return };
        let body = &self.bodies[contact.body];
        let normal = body.turned(body.normal(&self.planes, body.local(contact.from_center)));
        for axis in 0..3 {
            place[axis] += mul30(normal[axis], -contact.distance);
        }
    }

    /// Lets the bodies near a node act on its velocity `node[1..]`, where it has mass. Gives the mass that a body stands for
    /// there, and the impulse on a body.
    #[inline(always)]
    pub(super) fn act(
        &self,
        near: &[u32],
        place: [i32; 3],
        node: &mut Node,
        cell_mass: i32,
    ) -> (i32, Option<(usize, [i32; 6])>) {
        let Some(contact) = self.contact(near, place) else { return (0, None) };
        let mass = mul24(cell_mass, spread(contact.distance));
        let pushed = (contact.distance < HELD && node[0] > 0)
            .then(|| self.bodies[contact.body].push(&self.planes, &contact, node));
        (mass, pushed.flatten().map(|impulse| (contact.body, impulse)))
    }
}

impl Collider {
    /// A place relative to the centre, in the body's own frame.
    fn local(&self, d: [i32; 3]) -> [i32; 3] {
        let turn = &self.turn;
        std::array::from_fn(|column| {
            mul30(d[0], turn[column]) + mul30(d[1], turn[3 + column]) + mul30(d[2], turn[6 + column])
        })
    }

    /// A direction of the body's own frame.
    fn turned(&self, n: [i32; 3]) -> [i32; 3] {
        let turn = &self.turn;
        std::array::from_fn(|row| dot30(n, [turn[row * 3], turn[row * 3 + 1], turn[row * 3 + 2]]))
    }

    fn own<'a>(&self, planes: &'a [[i32; 4]]) -> &'a [[i32; 4]] {
        &planes[self.first_plane as usize..(self.first_plane + self.planes) as usize]
    }

    /// Of a place in the body's frame, where it is from the nearest one of the segment, and how far.
    fn off_segment(&self, mut l: [i32; 3]) -> ([i32; 3], i32) {
        l[1] -= l[1].clamp(-self.half, self.half);
        let squares = l.iter().fold(0u32, |sum, c| sum.wrapping_add(mul30(*c, *c) as u32));
        debug_assert!(squares <= (72 * 72) << 18);
        (l, (root(squares) << 3) as i32)
    }

    /// Distance of a place in the body's frame to its surface, negative inside.
    fn distance(&self, planes: &[[i32; 4]], l: [i32; 3]) -> i32 {
        let farthest = if self.planes == 0 {
            self.off_segment(l).1
        } else {
            self.own(planes).iter().map(|plane| beyond(plane, l)).max().expect("some planes")
        };
        farthest - self.radius
    }

    /// The normal, in the body's frame, at the surface nearest to a place there.
    fn normal(&self, planes: &[[i32; 4]], l: [i32; 3]) -> [i32; 3] {
        if self.planes == 0 {
            let (away, distance) = self.off_segment(l);
            return if distance > 0 { away.map(|c| div24(c, distance) << 6) } else { [0, ONE30, 0] };
        }
        let own = self.own(planes);
        let nearest =
            own.iter().fold(&own[0], |found, plane| if beyond(plane, l) > beyond(found, l) { plane } else { found });
        [nearest[0], nearest[1], nearest[2]]
    }

    /// Pushes a node's velocity out of the body; the impulse on the body, if there is one.
    fn push(&self, planes: &[[i32; 4]], contact: &Contact, node: &mut Node) -> Option<[i32; 6]> {
        let (d, spin) = (contact.from_center, self.spin);
        let swept = [
            mul24(d[2], spin[1]) - mul24(d[1], spin[2]),
            mul24(d[0], spin[2]) - mul24(d[2], spin[0]),
            mul24(d[1], spin[0]) - mul24(d[0], spin[1]),
        ];
        debug_assert!((0..3).all(|axis| (self.velocity[axis] + swept[axis]).abs() <= 22 * ONE));
        let first: [i32; 3] = std::array::from_fn(|axis| {
            node[1 + axis] - (self.velocity[axis] + swept[axis]).clamp(-MAX_SPEED, MAX_SPEED)
        });
        let mut e = first;
        let mut hold = |normal: [i32; 3]| {
            let n = self.turned(normal);
            let inward = dot30(e, n);
            if inward < 0 {
                e = std::array::from_fn(|axis| e[axis] - mul30(n[axis], inward));
            }
            inward < 0
        };
        let l = self.local(d);
        let mut held = false;
        if self.planes == 0 {
            held = hold(self.normal(planes, l));
        } else {
            let behind = if contact.distance < 0 { -FELT } else { 0 };
            for plane in self.own(planes) {
                let distance = beyond(plane, l) - self.radius;
                if distance == contact.distance || distance > behind {
                    held |= hold([plane[0], plane[1], plane[2]]);
                }
            }
        }
        if !held {
            return None;
        }
        let mut j = [0; 3];
        for axis in 0..3 {
            let kept = e[axis] - mul24(e[axis], self.friction);
            let change = mul24(kept - first[axis], self.give);
            node[1 + axis] += change;
            j[axis] = -mul24(node[0], change);
        }
        let moment = [
            mul30(d[1], j[2]) - mul30(d[2], j[1]),
            mul30(d[2], j[0]) - mul30(d[0], j[2]),
            mul30(d[0], j[1]) - mul30(d[1], j[0]),
        ];
        debug_assert!(node[0] >= 21 * ONE || j.iter().all(|part| part.abs() <= 110 * ONE));
        debug_assert!(node[0] >= 21 * ONE || moment.iter().all(|part| part.abs() <= (8150 << 18)));
        Some([j[0], j[1], j[2], moment[0], moment[1], moment[2]])
    }
}

fn dot30(a: [i32; 3], b: [i32; 3]) -> i32 {
    mul30(a[0], b[0]) + mul30(a[1], b[1]) + mul30(a[2], b[2])
}

/// How far a place lies beyond a plane.
fn beyond(plane: &[i32; 4], l: [i32; 3]) -> i32 {
    let beyond = dot30(l, [plane[0], plane[1], plane[2]]) - plane[3];
    debug_assert!(beyond.abs() <= 112 * ONE);
    beyond
}

/// The share of a quadratic B-spline around a node that lies within a plane at this distance, Q24.
fn spread(distance: i32) -> i32 {
    let a = distance.abs().min(ONE / 2 * 3);
    let cube = |x: i32| mul24(mul24(x, x), x);
    let beyond = if a < ONE / 2 {
        ONE / 2 - mul24(a, ONE / 4 * 3) + mul24(cube(a), ONE / 3)
    } else {
        mul24(cube(ONE / 2 * 3 - a), ONE / 6)
    };
    if distance < 0 { ONE - beyond } else { beyond }
}
