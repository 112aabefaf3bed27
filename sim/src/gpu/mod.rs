//! Graphics devices, through wgpu, and the kernels that run on them.

mod kernel;

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError, mpsc},
    time::Duration,
};

use crate::world::KernelError;

pub(crate) use kernel::WORKGROUP;
pub use kernel::{Contents, Kernel, KernelBuffer, Program, Role};

/// A graphics device that can run the kernels.
#[derive(Debug, Clone)]
pub struct Gpu {
    device: wgpu::Device,
    queue: wgpu::Queue,
    name: String,
    wide: bool,
    software: bool,
    /// Whether others use it at the same time.
    shared: bool,
    /// What went wrong since somebody asked: a device reports losses and a lack of memory when it likes. Of one that was
    /// lent, its owner is told.
    trouble: Arc<Mutex<Option<String>>>,
}

/// Which products a kernel uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Products {
    /// 64-bit integers where the adapter has them, split products elsewhere.
    Auto,
    /// Split products even where the adapter has 64-bit integers.
    Split,
}

/// Particles as a device has them: what draws with the same device need not fetch them.
#[derive(Debug, Clone)]
pub struct OnDevice {
    /// Words of 32 bits; the first three of a particle are its place in cells of its grid, Q24. They change from one
    /// submission of the device's queue to the next while the world is stepped.
    pub buffer: wgpu::Buffer,
    /// Words from one particle to the next.
    pub stride: u32,
}

/// What is known of a graphics adapter.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Adapter {
    /// Its name.
    pub name: String,
    /// The interface that it is reached through.
    pub interface: String,
    /// Whether it is a program on the CPU.
    pub software: bool,
    /// Whether shaders have 64-bit integers.
    pub wide: bool,
    /// The largest buffer that a kernel can use, bytes.
    pub largest_binding: u64,
}

/// Every graphics adapter, hardware first.
#[must_use]
pub fn adapters() -> Vec<Adapter> {
    let instance = wgpu::Instance::default();
    let found = pollster::block_on(instance.enumerate_adapters(wgpu::Backends::all()));
    let describe = |adapter: &wgpu::Adapter| {
        let info = adapter.get_info();
        Adapter {
            name: info.name,
            interface: info.backend.to_string(),
            software: info.device_type == wgpu::DeviceType::Cpu,
            wide: adapter.features().contains(wgpu::Features::SHADER_INT64),
            largest_binding: adapter.limits().max_storage_buffer_binding_size,
        }
    };
    let mut adapters: Vec<Adapter> = found.iter().map(describe).collect();
    adapters.sort_by_key(|adapter| adapter.software);
    adapters
}

impl Gpu {
    /// The first adapter that wgpu offers.
    ///
    /// # Errors
    /// [`KernelError::Device`] where there is none, or it refuses to open.
    pub fn open(products: Products) -> Result<Self, KernelError> {
        let device_error = |error: &dyn fmt::Display| KernelError::Device(error.to_string());
        let instance = wgpu::Instance::default();
        let options = wgpu::RequestAdapterOptions {
            power_preference: wgpu::PowerPreference::HighPerformance,
            ..Default::default()
        };
        let adapter = pollster::block_on(instance.request_adapter(&options)).map_err(|e| device_error(&e))?;
        let wide = products == Products::Auto && adapter.features().contains(wgpu::Features::SHADER_INT64);
        let descriptor = wgpu::DeviceDescriptor {
            label: Some("seedstorm"),
            required_features: if wide { wgpu::Features::SHADER_INT64 } else { wgpu::Features::empty() },
            required_limits: adapter.limits(),
            ..Default::default()
        };
        let (device, queue) = pollster::block_on(adapter.request_device(&descriptor)).map_err(|e| device_error(&e))?;
        let info = adapter.get_info();
        let software = info.device_type == wgpu::DeviceType::Cpu;
        let trouble = Arc::new(Mutex::new(None));
        let note = |trouble: &Arc<Mutex<Option<String>>>| {
            let trouble = Arc::clone(trouble);
            // The first one says what happened; the others follow from it.
            move |what: String| {
                trouble.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(what);
            }
        };
        let (on_error, on_loss) = (note(&trouble), note(&trouble));
        device.on_uncaptured_error(Arc::new(move |error: wgpu::Error| on_error(error.to_string())));
        device.set_device_lost_callback(move |_, what| on_loss(format!("the device is lost: {what}")));
        Ok(Self { device, queue, name: info.name, wide, software, trouble, shared: false })
    }

    /// A device that somebody else has opened and looks after: what they draw with can read what is stepped on it.
    #[must_use]
    pub fn lent(device: wgpu::Device, queue: wgpu::Queue, adapter: &wgpu::AdapterInfo) -> Self {
        Self {
            wide: device.features().contains(wgpu::Features::SHADER_INT64),
            device,
            queue,
            name: adapter.name.clone(),
            software: adapter.device_type == wgpu::DeviceType::Cpu,
            trouble: Arc::default(),
            shared: true,
        }
    }

    /// The same device with these products, as far as it has them.
    #[must_use]
    pub(crate) fn with_products(self, products: Products) -> Self {
        Self { wide: self.wide && products == Products::Auto, ..self }
    }

    /// What `build` makes, unless the device refuses any of it: of a device that others use, they would be told.
    ///
    /// # Errors
    /// [`KernelError::Device`] where it has too little memory, or refuses a shader.
    pub(crate) fn guarded<T>(&self, build: impl FnOnce() -> T) -> Result<T, KernelError> {
        use wgpu::ErrorFilter::{Internal, OutOfMemory, Validation};
        let scopes = [Validation, Internal, OutOfMemory].map(|filter| self.device.push_error_scope(filter));
        let built = build();
        // The scope that was opened last ends first.
        let errors: Vec<_> = scopes.into_iter().rev().filter_map(|scope| pollster::block_on(scope.pop())).collect();
        match errors.first() {
            Some(error) => Err(KernelError::Device(format!("{}: {error}", self.name))),
            None => Ok(built),
        }
    }

    /// Waits until everything that was submitted is done; meanwhile nobody else hands the device anything.
    ///
    /// # Errors
    /// [`KernelError::Device`] where it is lost.
    fn wait(&self) -> Result<(), KernelError> {
        let done = self.device.poll(wgpu::PollType::wait_indefinitely());
        done.map(|_| ()).map_err(|error| KernelError::Device(error.to_string()))
    }

    /// What the device says when it has come to it.
    ///
    /// # Errors
    /// [`KernelError::Device`] where it is lost.
    pub(crate) fn wait_for<T>(&self, word: &mpsc::Receiver<T>) -> Result<T, KernelError> {
        let lost = |error: &dyn fmt::Display| KernelError::Device(error.to_string());
        if !self.shared {
            self.wait()?;
            return word.recv().map_err(|error| lost(&error));
        }
        // Others draw with it.
        loop {
            self.device.poll(wgpu::PollType::Poll).map_err(|error| lost(&error))?;
            match word.recv_timeout(Duration::from_micros(200)) {
                Ok(word) => return Ok(word),
                Err(mpsc::RecvTimeoutError::Timeout) => {}
                Err(error) => return Err(lost(&error)),
            }
        }
    }

    /// Whether the device was well since this was last asked.
    ///
    /// # Errors
    /// [`KernelError::Device`] where it was lost, or had too little memory.
    pub(crate) fn check(&self) -> Result<(), KernelError> {
        match self.trouble.lock().unwrap_or_else(PoisonError::into_inner).take() {
            Some(what) => Err(KernelError::Device(format!("{}: {what}", self.name))),
            None => Ok(()),
        }
    }

    /// Ends the device for all that use it, as if it were unplugged.
    pub fn unplug(&self) {
        self.device.destroy();
    }

    /// The adapter's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The products of fixed-point numbers, in WGSL.
    fn products(&self) -> &'static str {
        if self.wide { include_str!("product_wide.wgsl") } else { include_str!("product_split.wgsl") }
    }

    /// Whether the adapter is a program on the CPU.
    #[must_use]
    pub fn is_software(&self) -> bool {
        self.software
    }

    /// The largest buffer that a kernel can use, bytes.
    #[must_use]
    pub fn largest_binding(&self) -> u64 {
        self.device.limits().max_storage_buffer_binding_size
    }

    /// Whether kernels use 64-bit integers.
    #[must_use]
    pub fn is_wide(&self) -> bool {
        self.wide
    }
}
