//! Functions that are too slow to compute at each hit.

/// A function of `AXES` numbers in [0, 1], known at evenly spaced places along each axis, linear between them.
#[derive(Debug)]
pub(crate) struct Table<const AXES: usize> {
    steps: usize,
    /// The last axis runs fastest.
    values: Vec<f32>,
}

impl<const AXES: usize> Table<AXES> {
    /// `function` at `steps` places along each axis, at least two.
    pub(crate) fn new(steps: usize, function: impl Fn([f32; AXES]) -> f32) -> Self {
        let count = (0..AXES).fold(1, |count, _| count * steps);
        let place = |index: usize| {
            let mut rest = index;
            let mut place = [0.0; AXES];
            for axis in (0..AXES).rev() {
                place[axis] = (rest % steps) as f32 / (steps - 1) as f32;
                rest /= steps;
            }
            place
        };
        Self { steps, values: (0..count).map(|index| function(place(index))).collect() }
    }

    /// The function at a place, which is limited to [0, 1] along each axis.
    #[inline]
    pub(crate) fn at(&self, place: [f32; AXES]) -> f32 {
        let mut first = 0;
        let mut beyond = [0.0; AXES];
        for axis in 0..AXES {
            let x = place[axis].clamp(0.0, 1.0) * (self.steps - 1) as f32;
            let index = (x as usize).min(self.steps - 2);
            first = first * self.steps + index;
            beyond[axis] = x - index as f32;
        }
        let mut sum = 0.0;
        for corner in 0..1_usize << AXES {
            let (mut index, mut weight) = (0, 1.0);
            for (axis, share) in beyond.iter().enumerate() {
                let far = corner >> axis & 1;
                index = index * self.steps + far;
                weight *= if far == 1 { *share } else { 1.0 - share };
            }
            sum += self.values[first + index] * weight;
        }
        sum
    }

    /// All of its values.
    #[cfg(feature = "gpu")]
    pub(crate) fn values(&self) -> &[f32] {
        &self.values
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_linear_function_is_itself_and_ends_hold() {
        let function = |[x, y, z]: [f32; 3]| 1.0 + 2.0 * x - 3.0 * y + 0.5 * z;
        let table = Table::new(5, function);
        for place in [[0.0; 3], [1.0; 3], [0.1, 0.7, 0.33], [0.99, 0.01, 0.5]] {
            assert!((table.at(place) - function(place)).abs() < 1e-5, "{place:?}");
        }
        assert_eq!(table.at([2.0, -1.0, 1.0]), table.at([1.0, 0.0, 1.0]));
    }
}
