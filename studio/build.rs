//! Where Intel's denoiser is built in, has the program look for its library where it was found.

use std::{env, path};

fn main() {
    println!("cargo::rerun-if-env-changed=OIDN_DIR");
    let wanted = env::var_os("CARGO_FEATURE_OIDN").is_some();
    // Without a folder, the system's own is taken.
    let Some(folder) = env::var_os("OIDN_DIR").filter(|_| wanted) else { return };
    match path::absolute(path::Path::new(&folder).join("lib")) {
        Ok(lib) if lib.is_dir() && env::var_os("CARGO_CFG_UNIX").is_some() => {
            println!("cargo::rustc-link-arg=-Wl,-rpath,{}", lib.display());
        }
        Ok(lib) if lib.is_dir() => {}
        _ => println!("cargo::error=OIDN_DIR is {}, which has no folder `lib`", folder.display()),
    }
}
