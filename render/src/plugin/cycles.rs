//! Blender's Cycles, as the plug-in that comes with this program.

use super::Plugin;

impl Plugin {
    /// The plug-in of `render/renderers/cycles`; it needs Blender on the `PATH`.
    #[must_use]
    pub fn cycles() -> Self {
        macro_rules! own {
            ($name:literal) => {
                ($name, include_str!(concat!("../../renderers/cycles/", $name)))
            };
        }
        let files = [own!("run.sh"), own!("main.py"), own!("scene.py")];
        Self::embedded(own!("renderer.toml").1, &files).expect("its manifest is tested")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_manifest_is_of_these_files() {
        let cycles = Plugin::cycles();
        assert_eq!(cycles.digest(), cycles.manifest().digest, "write this digest into renderer.toml");
    }
}
