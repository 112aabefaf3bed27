//! Graphics devices, through wgpu, and the kernels that run on them.

mod kernel;

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use crate::world::{Backend, KernelError};

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
    /// What went wrong since somebody asked: a device reports losses and a lack of memory when it likes.
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
        Ok(Self { device, queue, name: info.name, wide, software, trouble })
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

    /// The adapter that `backend` asks for, if it asks for one. A software adapter runs the kernels on the CPU, slower
    /// than the twins do, and is used only where a device is insisted on.
    ///
    /// # Errors
    /// [`KernelError::Device`] where a device is insisted on and there is none.
    pub(crate) fn wanted(backend: Backend) -> Result<Option<Self>, KernelError> {
        match backend {
            Backend::Cpu => Ok(None),
            Backend::Gpu => Self::open(Products::Auto).map(Some),
            Backend::GpuSplit => Self::open(Products::Split).map(Some),
            Backend::Auto => Ok(Self::open(Products::Auto).ok().filter(|gpu| !gpu.is_software())),
        }
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

    /// Whether kernels use 64-bit integers.
    #[must_use]
    pub fn is_wide(&self) -> bool {
        self.wide
    }
}
