//! What this machine has, what will be used of it, and what would make it faster.

use std::{
    net::{SocketAddr, TcpStream},
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use serde::Serialize;

use seedstorm_sim::gpu::{Adapter, adapters};

use seedstorm_render::plugin::Sandbox;

use crate::{
    Home,
    renderers::{self, Listed},
};

/// Longest wait for a service or a program.
const PATIENCE: Duration = Duration::from_millis(400);

/// A machine as the pipeline sees it.
#[derive(Debug, Clone, Serialize)]
pub struct Diagnosis {
    /// Cores that this process may use.
    pub cores: usize,
    /// Graphics adapters, the one that kernels would run on first.
    pub adapters: Vec<Adapter>,
    /// Where kernels run with `--backend auto`.
    pub kernels_run_on: String,
    /// Blender's version, if it is installed.
    pub blender: Option<String>,
    /// Whether there is bubblewrap, which keeps other renderers from the rest of the machine.
    pub bubblewrap: bool,
    /// Renderers that are programs of their own.
    pub renderers: Vec<Listed>,
    /// The home's folder.
    pub home: std::path::PathBuf,
    /// Bytes that can be written there.
    pub free_bytes: Option<u64>,
    /// Services that answer on this machine. None is needed: content and chain are embedded.
    pub services: Vec<Service>,
    /// What would make it faster or safer.
    pub advice: Vec<String>,
}

/// A service that other tools use.
#[derive(Debug, Clone, Serialize)]
pub struct Service {
    /// What it is.
    pub name: &'static str,
    /// Where it was looked for.
    pub address: &'static str,
    /// Whether something listens there.
    pub reachable: bool,
}

const SERVICES: [(&str, &str); 2] =
    [("IPFS node (Kubo RPC)", "127.0.0.1:5001"), ("Ethereum node (RPC)", "127.0.0.1:8545")];

/// Looks at this machine; takes about a second.
#[must_use]
pub fn diagnose(home: &Home) -> Diagnosis {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let adapters = adapters();
    let hardware = adapters.iter().find(|adapter| !adapter.software);
    let mut advice = Vec::new();
    let kernels_run_on = match hardware {
        Some(adapter) => {
            if !adapter.wide {
                advice.push(format!(
                    "{} has no 64-bit integers in shaders: kernels split their products, at some cost",
                    adapter.name
                ));
            }
            adapter.name.clone()
        }
        None => {
            advice.push("there is no hardware graphics adapter: a GPU with a Vulkan, Metal or DirectX 12 driver runs the kernels many times faster".into());
            format!("the CPU, {cores} threads")
        }
    };
    if cores < 4 {
        advice.push(format!("{cores} cores: frames are rendered on all of them, so more cores render a film faster"));
    }
    let free_bytes = free_bytes(home.root());
    if free_bytes.is_some_and(|free| free < 2 << 30) {
        advice.push("less than 2 GiB are free: a master takes about 1 GiB; SEEDSTORM_HOME moves the home".into());
    }
    if std::env::var_os(seedstorm_mint::keystore::PASSWORD_VARIABLE).is_none() {
        advice.push("SEEDSTORM_PASSWORD is not set: the key's password lies beside it, which is good enough for test ether alone".into());
    }
    let bubblewrap = Sandbox::find().is_some();
    if !bubblewrap {
        advice.push("there is no bubblewrap: Cycles and other renderers are refused without it (on Debian: apt install bubblewrap)".into());
    }
    Diagnosis {
        cores,
        adapters,
        kernels_run_on,
        blender: blender(),
        bubblewrap,
        renderers: renderers::list(home).unwrap_or_default(),
        home: home.root().to_owned(),
        free_bytes,
        services: SERVICES.map(|(name, address)| Service { name, address, reachable: reachable(address) }).into(),
        advice,
    }
}

fn reachable(address: &str) -> bool {
    address.parse::<SocketAddr>().is_ok_and(|address| TcpStream::connect_timeout(&address, PATIENCE).is_ok())
}

/// The first line of `blender --version`, within ten times the usual patience.
fn blender() -> Option<String> {
    let mut child = Command::new("blender")
        .arg("--version")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    let start = Instant::now();
    while child.try_wait().ok()?.is_none() {
        if start.elapsed() > PATIENCE * 10 {
            // Killed and reaped; what it says no longer matters.
            let _ = child.kill();
            let _ = child.wait();
            return None;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    let text = child.wait_with_output().ok()?.stdout;
    Some(String::from_utf8_lossy(&text).lines().next()?.trim().to_owned())
}

/// Bytes that may be written below a folder, as `df` says.
fn free_bytes(folder: &Path) -> Option<u64> {
    let output = Command::new("df").args(["-Pk"]).arg(folder).stderr(Stdio::null()).output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout);
    let kib: u64 = text.lines().nth(1)?.split_whitespace().nth(3)?.parse().ok()?;
    Some(kib * 1024)
}
