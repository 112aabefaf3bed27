//! A wide bounding volume hierarchy over boxes: one build and one traversal for triangles and for instances.
//!
//! The build is binned by the surface area heuristic (Wald 2007, "On fast Construction of SAH-based Bounding Volume
//! Hierarchies") into a binary tree, whose nodes are then merged eight by eight, and four by four for a device (Wald,
//! Benthin and Boulos 2008, "Getting Rid of Packets"). Subtrees are built side by side, but each split depends on its own
//! primitives only: the tree is one and the same for any number of threads.

use crate::lanes::Lanes;
use crate::vector::{Ray, Vec3, max, vec3};

/// An axis-aligned box.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Bounds {
    pub(crate) min: Vec3,
    pub(crate) max: Vec3,
}

impl Bounds {
    /// Holds nothing, and no ray meets it. Finite, so that no infinity meets a zero in the slab test.
    pub(crate) const EMPTY: Self = Self { min: Vec3::splat(1e30), max: Vec3::splat(-1e30) };

    #[inline]
    pub(crate) fn grow(&mut self, point: Vec3) {
        self.min = self.min.min(point);
        self.max = self.max.max(point);
    }

    #[inline]
    fn merge(&mut self, other: &Self) {
        self.min = self.min.min(other.min);
        self.max = self.max.max(other.max);
    }

    #[inline]
    fn half_area(&self) -> f32 {
        let e = self.max - self.min;
        if e.x < 0.0 { 0.0 } else { e.x * e.y + e.y * e.z + e.z * e.x }
    }

    /// The largest absolute coordinate; 0 where the box is empty.
    pub(crate) fn magnitude(&self) -> f32 {
        if self.min.x > self.max.x { 0.0 } else { self.min.abs().max(self.max.abs()).max_component() }
    }
}

/// Set in a child that is a leaf; the other bits are the leaf's number.
pub(crate) const LEAF: u32 = 1 << 31;
const BINS: usize = 16;
/// Fewer primitives than this are built on one thread.
const PARALLEL_FROM: usize = 4096;
/// Below this depth splits halve the primitives, so that no input makes a deep tree.
const DEPTH_OF_HALVING: u32 = 64;

/// Children of a node that our traversal meets at a time.
const WIDTH: usize = 8;

/// Children: their boxes side by side, and where they are.
#[derive(Debug, Clone, Copy)]
#[repr(align(64))]
pub(crate) struct Node<const CHILDREN: usize> {
    /// By side (minimum, maximum), then by axis.
    pub(crate) planes: [[[f32; CHILDREN]; 3]; 2],
    pub(crate) children: [u32; CHILDREN],
}

/// A hierarchy whose leaves are known by number.
#[derive(Debug, Clone, Default)]
pub(crate) struct Bvh {
    nodes: Vec<Node<WIDTH>>,
    /// The same leaves below nodes as a device has them.
    #[cfg(feature = "gpu")]
    pub(crate) fours: Vec<Node<4>>,
}

/// A primitive while the tree is built.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Item {
    bounds: Bounds,
    pub(crate) id: u32,
}

impl Item {
    /// Twice the middle of the box.
    #[inline]
    fn center(&self) -> Vec3 {
        self.bounds.min + self.bounds.max
    }
}

/// A node of the binary tree. A subtree over n primitives fills a slice of 2n − 1 nodes in pre-order.
#[derive(Debug, Clone, Copy)]
struct Binary {
    bounds: Bounds,
    /// Of a leaf: how many primitives; 0 in an inner node.
    count: u32,
    /// Of a leaf: the first primitive, and once it has one, the leaf's number. Of an inner node: the distance to its
    /// right child; the left child is the next.
    place: u32,
}

impl Bvh {
    /// Builds the hierarchy over boxes; `emit` is told the primitives of each leaf, either one or as many as `fits` says
    /// make a leaf, in the order of the leaves' numbers from 0.
    ///
    /// At most 2³⁰ boxes.
    pub(crate) fn build(
        boxes: &[Bounds],
        fits: &(impl Fn(&[Item]) -> bool + Sync),
        mut emit: impl FnMut(&[u32]),
    ) -> Self {
        assert!(boxes.len() <= 1 << 30, "primitive ids fit the leaves' numbers");
        if boxes.is_empty() {
            return Self::default();
        }
        let mut items: Vec<Item> =
            boxes.iter().enumerate().map(|(id, &bounds)| Item { bounds, id: id as u32 }).collect();
        let empty = Binary { bounds: Bounds::EMPTY, count: 0, place: 0 };
        let mut binary = vec![empty; 2 * items.len() - 1];
        build_binary(&mut items, 0, &mut binary, fits, 0);
        let ids: Vec<u32> = items.iter().map(|item| item.id).collect();
        drop(items);
        let mut leaves = 0;
        number_leaves(&mut binary, 0, &mut |first, count| {
            emit(&ids[first..first + count]);
            leaves += 1;
            leaves - 1
        });
        let mut tree = Self::default();
        widen(&binary, 0, &mut tree.nodes);
        #[cfg(feature = "gpu")]
        widen(&binary, 0, &mut tree.fours);
        tree
    }

    /// Visits the leaves whose boxes the ray meets before `leaves.limit()`, nearest boxes first, until one says stop.
    /// Returns whether one did.
    ///
    /// `stack` may already hold the entries of an outer traversal; they are left alone.
    #[inline(always)]
    pub(crate) fn traverse<const ORDERED: bool, L: Lanes>(
        &self,
        ray: &BoxRay<L>,
        stack: &mut Stack,
        leaves: &mut impl Leaves,
    ) -> bool {
        if self.nodes.is_empty() {
            return false;
        }
        let base = stack.len();
        let mut current = 0;
        loop {
            if current & LEAF == 0 {
                let node = &self.nodes[current as usize];
                let (near, mask) = ray.meets(node, leaves.limit());
                if mask != 0 {
                    let mut bits = mask;
                    let first = bits.trailing_zeros() as usize % WIDTH;
                    bits &= bits - 1;
                    if bits == 0 {
                        current = node.children[first];
                        continue;
                    }
                    let mut best = Entry { t: near[first], node: node.children[first] };
                    if ORDERED {
                        let bottom = stack.len();
                        while bits != 0 {
                            let slot = bits.trailing_zeros() as usize % WIDTH;
                            bits &= bits - 1;
                            let mut entry = Entry { t: near[slot], node: node.children[slot] };
                            if entry.t < best.t {
                                std::mem::swap(&mut entry, &mut best);
                            }
                            // Insertion, farthest at the bottom.
                            stack.push(entry);
                            let mut i = stack.len() - 1;
                            while i > bottom && stack[i - 1].t < entry.t {
                                stack[i] = stack[i - 1];
                                i -= 1;
                            }
                            stack[i] = entry;
                        }
                    } else {
                        while bits != 0 {
                            let slot = bits.trailing_zeros() as usize % WIDTH;
                            bits &= bits - 1;
                            stack.push(Entry { t: near[slot], node: node.children[slot] });
                        }
                    }
                    current = best.node;
                    continue;
                }
            } else if leaves.visit(current & !LEAF, stack) {
                stack.truncate(base);
                return true;
            }
            loop {
                if stack.len() == base {
                    return false;
                }
                let Some(entry) = stack.pop() else { return false };
                if entry.t <= leaves.limit() {
                    current = entry.node;
                    break;
                }
            }
        }
    }
}

/// What a traversal calls.
pub(crate) trait Leaves {
    /// Boxes beyond this distance are of no interest.
    fn limit(&self) -> f32;
    /// Tests the primitives of a leaf; `true` ends the traversal.
    fn visit(&mut self, leaf: u32, stack: &mut Stack) -> bool;
}

/// A child that waits for its turn.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Entry {
    t: f32,
    node: u32,
}

/// Children that wait for their turn; kept between rays, so that no ray allocates.
pub(crate) type Stack = Vec<Entry>;

/// A ray made ready for box tests.
#[derive(Clone, Copy)]
pub(crate) struct BoxRay<L: Lanes> {
    lanes: L,
    origin: [L::Eight; 3],
    inverse: [L::Eight; 3],
    /// By axis, the side whose planes the ray meets first.
    near: [usize; 3],
}

/// 1/x, finite also where x is zero or tiny.
#[inline]
pub(crate) fn finite_inverse(x: f32) -> f32 {
    if x.abs() < 1e-18 { 1e18_f32.copysign(x) } else { 1.0 / x }
}

impl<L: Lanes> BoxRay<L> {
    #[inline(always)]
    pub(crate) fn new(lanes: L, ray: &Ray) -> Self {
        let d = ray.direction;
        let inverse = vec3(finite_inverse(d.x), finite_inverse(d.y), finite_inverse(d.z));
        let side = |x: f32| usize::from(x.is_sign_negative());
        Self {
            lanes,
            origin: [lanes.splat(ray.origin.x), lanes.splat(ray.origin.y), lanes.splat(ray.origin.z)],
            inverse: [lanes.splat(inverse.x), lanes.splat(inverse.y), lanes.splat(inverse.z)],
            near: [side(inverse.x), side(inverse.y), side(inverse.z)],
        }
    }

    /// Where the ray enters each child, and a bit for each that it meets in [0, `limit`].
    #[inline(always)]
    fn meets(&self, node: &Node<WIDTH>, limit: f32) -> ([f32; WIDTH], u32) {
        // Ize 2013, "Robust BVH Ray Traversal": the far distance grown by two ulps misses no box that is met.
        const GROWN: f32 = 1.0 + 2.0 * f32::EPSILON;
        let l = self.lanes;
        let near = [self.to(node, 0, 0), self.to(node, 0, 1), self.to(node, 0, 2)];
        let far = [self.to(node, 1, 0), self.to(node, 1, 1), self.to(node, 1, 2)];
        let enter = l.max(l.max(near[0], near[1]), l.max(near[2], l.splat(0.0)));
        let leave = l.mul(l.min(l.min(far[0], far[1]), far[2]), l.splat(GROWN));
        let mask = l.at_most(enter, l.min(leave, l.splat(limit)));
        (l.store(enter), mask)
    }

    /// Where the ray meets the planes of this axis that it meets first, at `side` 0, or last, at 1.
    #[inline(always)]
    fn to(&self, node: &Node<WIDTH>, side: usize, axis: usize) -> L::Eight {
        let l = self.lanes;
        let planes = &node.planes[(self.near[axis] ^ side) & 1][axis];
        l.mul(l.sub(l.load(planes), self.origin[axis]), self.inverse[axis])
    }
}

/// Has `emit` number the leaves below `root`, by their first primitive and how many they have, in the order of these.
fn number_leaves(binary: &mut [Binary], root: usize, emit: &mut impl FnMut(usize, usize) -> u32) {
    let Binary { count, place, .. } = binary[root];
    if count > 0 {
        binary[root].place = emit(place as usize, count as usize);
    } else {
        number_leaves(binary, root + 1, emit);
        number_leaves(binary, root + place as usize, emit);
    }
}

/// Appends the wide node whose subtree hangs at `root` and returns its index.
fn widen<const CHILDREN: usize>(binary: &[Binary], root: usize, nodes: &mut Vec<Node<CHILDREN>>) -> u32 {
    let mut children = [root; CHILDREN];
    let mut count = 1;
    while count < CHILDREN {
        // The inner child that a ray meets most often makes room for its own children.
        let mut widest: Option<usize> = None;
        for slot in 0..count {
            let node = &binary[children[slot]];
            if node.count == 0
                && widest.is_none_or(|w| binary[children[w]].bounds.half_area() < node.bounds.half_area())
            {
                widest = Some(slot);
            }
        }
        let Some(slot) = widest else { break };
        let node = children[slot];
        children[slot] = node + 1;
        children[count] = node + binary[node].place as usize;
        count += 1;
    }
    let mut planes = [[[0.0; CHILDREN]; 3]; 2];
    for slot in 0..CHILDREN {
        let bounds = if slot < count { binary[children[slot]].bounds } else { Bounds::EMPTY };
        for (side, corner) in [bounds.min, bounds.max].into_iter().enumerate() {
            for (axis, x) in <[f32; 3]>::from(corner).into_iter().enumerate() {
                planes[side][axis][slot] = x;
            }
        }
    }
    let index = nodes.len();
    nodes.push(Node { planes, children: [LEAF; CHILDREN] });
    for (slot, &child) in children[..count].iter().enumerate() {
        let Binary { count, place, .. } = binary[child];
        nodes[index].children[slot] = if count > 0 { LEAF | place } else { widen(binary, child, nodes) };
    }
    index as u32
}

/// Builds the subtree over `items`, the primitives from `first` on, into `nodes`.
fn build_binary(
    items: &mut [Item],
    first: u32,
    nodes: &mut [Binary],
    fits: &(impl Fn(&[Item]) -> bool + Sync),
    depth: u32,
) {
    let mut bounds = Bounds::EMPTY;
    for item in items.iter() {
        bounds.merge(&item.bounds);
    }
    let count = items.len();
    if count == 1 || fits(items) {
        nodes[0] = Binary { bounds, count: count as u32, place: first };
        return;
    }
    let left = if depth < DEPTH_OF_HALVING { split(items) } else { count / 2 };
    nodes[0] = Binary { bounds, count: 0, place: 2 * left as u32 };
    let (left_items, right_items) = items.split_at_mut(left);
    let (left_nodes, right_nodes) = nodes[1..].split_at_mut(2 * left - 1);
    let right_first = first + left as u32;
    let mut build_left = || build_binary(left_items, first, left_nodes, fits, depth + 1);
    let mut build_right = || build_binary(right_items, right_first, right_nodes, fits, depth + 1);
    if count >= PARALLEL_FROM {
        rayon::join(build_left, build_right);
    } else {
        build_left();
        build_right();
    }
}

/// Orders `items` so that the cheapest split by the surface area heuristic lies at the index returned, which is neither
/// end.
fn split(items: &mut [Item]) -> usize {
    let mut centers = Bounds::EMPTY;
    for item in items.iter() {
        centers.grow(item.center());
    }
    let extent = centers.max - centers.min;
    let scale = |e: f32| if e > 1e-30 { BINS as f32 * (1.0 - 1e-6) / e } else { 0.0 };
    let scale = vec3(scale(extent.x), scale(extent.y), scale(extent.z));
    let bin = |item: &Item| {
        let x = (item.center() - centers.min) * scale;
        [x.x, x.y, x.z].map(|x| (x as usize).min(BINS - 1))
    };
    let mut bins = [[(Bounds::EMPTY, 0_u32); BINS]; 3];
    for item in items.iter() {
        for (axis, slot) in bin(item).into_iter().enumerate() {
            let (bounds, count) = &mut bins[axis][slot];
            bounds.merge(&item.bounds);
            *count += 1;
        }
    }
    let mut best: Option<(f32, usize, usize)> = None;
    for (axis, bins) in bins.iter().enumerate() {
        let mut right_cost = [0.0; BINS];
        let (mut bounds, mut count) = (Bounds::EMPTY, 0);
        for slot in (1..BINS).rev() {
            bounds.merge(&bins[slot].0);
            count += bins[slot].1;
            right_cost[slot] = bounds.half_area() * count as f32;
        }
        let (mut bounds, mut count) = (Bounds::EMPTY, 0);
        for slot in 1..BINS {
            bounds.merge(&bins[slot - 1].0);
            count += bins[slot - 1].1;
            if count == 0 || count as usize == items.len() {
                continue;
            }
            let cost = bounds.half_area() * count as f32 + right_cost[slot];
            if best.is_none_or(|(least, ..)| cost < least) {
                best = Some((cost, axis, slot));
            }
        }
    }
    let Some((_, axis, slot)) = best else {
        // All middles coincide: any halves do.
        return items.len() / 2;
    };
    let mut left = 0;
    for i in 0..items.len() {
        if bin(&items[i])[axis] < slot {
            items.swap(i, left);
            left += 1;
        }
    }
    left
}

/// Boxes a little larger than computed, so that rounding in a primitive's own test finds no hit outside of its box, whatever
/// the ray: `reach` is at least the largest coordinate of where rays start. Which of two hits at one distance counts
/// depends on nothing but their numbers then, and not on the tree.
#[inline]
pub(crate) fn padded(bounds: Bounds, reach: f32) -> Bounds {
    let p = Vec3::splat(max(bounds.magnitude(), reach) * (8.0 * f32::EPSILON));
    Bounds { min: bounds.min - p, max: bounds.max + p }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lanes::{FourAndFour, InLanes, Widest};
    use proptest::prelude::*;

    #[derive(Default)]
    struct Everything {
        seen: Vec<u32>,
    }

    impl Leaves for Everything {
        fn limit(&self) -> f32 {
            1e30
        }
        fn visit(&mut self, leaf: u32, _: &mut Stack) -> bool {
            self.seen.push(leaf);
            false
        }
    }

    /// The leaves that a ray visits, in their order.
    struct Visit<'a> {
        tree: &'a Bvh,
        ray: Ray,
    }

    impl InLanes for Visit<'_> {
        type Found = Vec<u32>;

        #[inline(always)]
        fn run<L: Lanes>(self, lanes: L) -> Vec<u32> {
            let mut all = Everything::default();
            self.tree.traverse::<true, _>(&BoxRay::new(lanes, &self.ray), &mut Stack::new(), &mut all);
            all.seen
        }
    }

    fn meets(bounds: &Bounds, ray: &Ray) -> bool {
        let (mut enter, mut leave) = (0.0_f64, f64::INFINITY);
        for axis in 0..3 {
            let (o, d) = (f64::from(ray.origin.axis(axis)), f64::from(ray.direction.axis(axis)));
            let a = (f64::from(bounds.min.axis(axis)) - o) / d;
            let b = (f64::from(bounds.max.axis(axis)) - o) / d;
            enter = enter.max(a.min(b));
            leave = leave.min(a.max(b));
        }
        enter <= leave
    }

    fn coordinate() -> impl Strategy<Value = f32> {
        -10.0_f32..10.0
    }

    proptest! {
        #[test]
        fn traversal_misses_no_box(
            boxes in prop::collection::vec((coordinate(), coordinate(), coordinate(), 0.0_f32..1.0), 1..200),
            origin in (coordinate(), coordinate(), coordinate()),
            target in (coordinate(), coordinate(), coordinate()),
        ) {
            let boxes: Vec<Bounds> = boxes
                .into_iter()
                .map(|(x, y, z, r)| Bounds { min: vec3(x - r, y - r, z - r), max: vec3(x + r, y + r, z + r) })
                .collect();
            let origin = vec3(origin.0, origin.1, origin.2);
            let toward = vec3(target.0, target.1, target.2) - origin;
            prop_assume!(toward.length() > 1e-3 && toward.x != 0.0 && toward.y != 0.0 && toward.z != 0.0);
            let ray = Ray { origin, direction: toward.normalized(), time: 0.0 };
            let mut order = Vec::new();
            let tree = Bvh::build(&boxes, &|_| false, |ids| order.extend_from_slice(ids));
            let visited = Visit { tree: &tree, ray }.run(FourAndFour);
            let mut seen: Vec<u32> = visited.iter().map(|&leaf| order[leaf as usize]).collect();
            seen.sort_unstable();
            for (id, bounds) in boxes.iter().enumerate() {
                if meets(bounds, &ray) {
                    prop_assert!(seen.binary_search(&(id as u32)).is_ok(), "box {id} is missed");
                }
            }
            seen.dedup();
            prop_assert_eq!(seen.len(), visited.len(), "a box is visited twice");
            // By whatever instructions, in the same order.
            prop_assert_eq!(Widest::default().in_lanes(Visit { tree: &tree, ray }), visited);
        }
    }

    #[test]
    fn every_primitive_is_in_one_leaf_even_where_all_coincide() {
        let boxes = vec![Bounds { min: Vec3::ZERO, max: Vec3::ONE }; 10_000];
        let mut order = Vec::new();
        Bvh::build(&boxes, &|items| items.len() <= 4, |ids| {
            assert!(ids.len() <= 4);
            order.extend_from_slice(ids);
        });
        order.sort_unstable();
        assert!(order.iter().copied().eq(0..10_000));
    }
}
