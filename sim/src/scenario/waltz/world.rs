//! The points of a waltz, on a graphics device or on the twin.

use super::{SNAPSHOT_UNIT, galaxies::Cluster};
use crate::{
    fixed::ONE,
    gravity::{MAX_SPEED, Point, RANGE, WORDS, twin::TwinGravity},
    trajectory::Snapshot,
    world::{Device, SimError, World},
};

enum Engine {
    Twin(Box<TwinGravity>),
    #[cfg(feature = "gpu")]
    Gpu(crate::gravity::gpu::GpuGravity),
}

/// A waltz that can be stepped.
pub(super) struct PointWorld {
    engine: Engine,
    count: usize,
    /// How many of the points are seen; they are the first.
    visible: usize,
    step: u32,
    /// The last step.
    steps: u32,
    name: String,
}

impl PointWorld {
    /// The cluster at its first step, on `device`.
    pub(super) fn open(cluster: &Cluster, steps: u32, device: &Device) -> Result<Self, SimError> {
        let law = cluster.law();
        let (points, visible) = (cluster.points(), cluster.visible());
        let count = points.len();
        #[cfg(feature = "gpu")]
        if let Some(gpu) = device.gpu()? {
            let name = format!("wgpu: {}", gpu.name());
            match crate::gravity::gpu::GpuGravity::new(gpu, &law, &points) {
                Ok(gpu) => return Ok(Self { engine: Engine::Gpu(gpu), count, visible, step: 0, steps, name }),
                Err(error) if device.is_insisted_on() => return Err(error.into()),
                Err(_) => {}
            }
        }
        #[cfg(not(feature = "gpu"))]
        if device.is_insisted_on() {
            return Err(crate::world::KernelError::Device("this build has no kernels for it".into()).into());
        }
        let engine = Engine::Twin(Box::new(TwinGravity::new(&law, points)));
        Ok(Self { engine, count, visible, step: 0, steps, name: "cpu".into() })
    }

    fn points(&self) -> Result<std::borrow::Cow<'_, [Point]>, SimError> {
        match &self.engine {
            Engine::Twin(twin) => Ok(twin.points().into()),
            #[cfg(feature = "gpu")]
            Engine::Gpu(gpu) => Ok(gpu.points()?.into()),
        }
    }
}

impl World for PointWorld {
    fn advance(&mut self, steps: u32) -> Result<(), SimError> {
        match &mut self.engine {
            Engine::Twin(twin) => (0..steps).for_each(|_| twin.step()),
            #[cfg(feature = "gpu")]
            Engine::Gpu(gpu) => gpu.advance(steps),
        }
        self.step += steps;
        Ok(())
    }

    fn checkpoint(&mut self) -> Result<Vec<u8>, SimError> {
        let points = self.points()?;
        let mut bytes = Vec::with_capacity(size_of_val(&*points) + 8);
        bytes.extend(self.step.to_le_bytes());
        bytes.extend((points.len() as u32).to_le_bytes());
        for word in points.iter().flatten() {
            bytes.extend(word.to_le_bytes());
        }
        Ok(bytes)
    }

    fn restore(&mut self, state: &[u8]) -> Result<(), SimError> {
        let wrong = SimError::Saved("it is no state of these points");
        let (step, rest) = state.split_first_chunk::<4>().ok_or(SimError::Saved("it is cut short"))?;
        let (count, rest) = rest.split_first_chunk::<4>().ok_or(SimError::Saved("it is cut short"))?;
        let (step, count) = (u32::from_le_bytes(*step), u32::from_le_bytes(*count) as usize);
        if step > self.steps || count != self.count || rest.len() != count * size_of::<Point>() {
            return Err(wrong);
        }
        let words: Vec<i32> = rest.as_chunks::<4>().0.iter().map(|bytes| i32::from_le_bytes(*bytes)).collect();
        let (points, _) = words.as_chunks::<WORDS>();
        let sane = |point: &Point| {
            let (place, speed) = point.split_at(3);
            place.iter().all(|x| RANGE.contains(x)) && speed.iter().all(|v| (-MAX_SPEED..=MAX_SPEED).contains(v))
        };
        if !points.iter().all(sane) {
            return Err(wrong);
        }
        match &mut self.engine {
            Engine::Twin(twin) => twin.restore(points),
            #[cfg(feature = "gpu")]
            Engine::Gpu(gpu) => gpu.restore(points),
        }
        self.step = step;
        Ok(())
    }

    fn snapshot(&mut self) -> Result<Snapshot, SimError> {
        let points = self.points()?;
        // Rounded to nearest; the shift floors, below zero too.
        let unit = ONE / SNAPSHOT_UNIT;
        let round = |x: i32| (x + unit / 2).div_euclid(unit);
        Ok((0..3).flat_map(|axis| points[..self.visible].iter().map(move |point| round(point[axis]))).collect())
    }

    fn step(&self) -> u32 {
        self.step
    }

    fn backend(&self) -> String {
        self.name.clone()
    }

    #[cfg(feature = "gpu")]
    fn on_device(&self) -> Option<crate::gpu::OnDevice> {
        match &self.engine {
            Engine::Twin(_) => None,
            Engine::Gpu(gpu) => Some(gpu.on_device()),
        }
    }
}
