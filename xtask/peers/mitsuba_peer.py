"""Mitsuba 3 renders one neutral scene description: a peer of our tracer, for pictures and for error over time.

    python mitsuba_peer.py SCENE.json --samples 1,4,16 --seed 0 --threads 2 --out DIR
        [--variant llvm_ad_rgb|scalar_rgb] [--bounces 6] [--filter gaussian|box]

Wants the PyPI packages `mitsuba` (3.9.1) and `numpy`; the llvm variant also an LLVM library that Dr.Jit can use, named
by DRJIT_LIBLLVM_PATH (19 works; 14 and 15 abort). For each number of samples N it writes DIR/N.f32, little-endian
float32 linear Rec. 709 RGB with rows from the top, and last DIR/times.json.

The scene (world units, y up, right-handed, linear Rec. 709):

    {"width", "height", "camera": {"eye", "target", "up", "vertical_fov" in radians}, "sky": [r, g, b],
     "lights": [{"center", "u", "v", "radiance"}],           u and v from the middle to the middles of two edges
     "materials": [{"kind": "diffuse", "color"}, {"kind": "metal", "color", "roughness"}, {"kind": "glass", "ior"},
                   {"kind": "plastic", "color", "ior"}],
     "spheres": [[x, y, z, radius, material]], "meshes": [{"positions", "triangles", "material"}]}

What differs from ours: a light's back is black here, where our rays go through it, so that a light must not stand in
the way of another or of the sky; a perfect mirror reflects `color` at every angle, without Schlick's increase; a rough
metal does not get back what single scattering loses. Spheres are true ones, each a shape of its own: `ellipsoids`,
which are many in one shape, are made for volumes and shade wrongly as surfaces.
"""

import argparse
import json
import math
import pathlib
import sys
import time

import mitsuba as mi
import numpy as np

# The standard deviation of the Blackman-Harris window, three pixels wide, that Cycles and our tracer filter with.
FILTER_DEVIATION = 0.4155


def fail(message):
    sys.exit(f"mitsuba_peer: {message}")


def arguments():
    parser = argparse.ArgumentParser(description="Render a neutral scene with Mitsuba 3.")
    parser.add_argument("scene", type=pathlib.Path)
    parser.add_argument("--samples", required=True, help="samples a pixel, one picture each: 1,4,16")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--out", type=pathlib.Path, required=True)
    parser.add_argument("--bounces", type=int, default=6, help="most scatterings; 1 is direct light only")
    parser.add_argument("--variant", choices=["llvm_ad_rgb", "scalar_rgb"], default="llvm_ad_rgb")
    parser.add_argument("--filter", choices=["gaussian", "box"], default="gaussian")
    options = parser.parse_args()
    try:
        options.samples = [int(n) for n in options.samples.split(",")]
    except ValueError:
        fail(f"--samples wants whole numbers with commas between them, not {options.samples!r}")
    if min(options.samples) < 1 or options.bounces < 1 or options.threads < 1 or options.seed < 0:
        fail("samples, bounces and threads start at 1, the seed at 0")
    return options


def read(path):
    try:
        scene = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        fail(f"{path} is not a scene: {error}")
    try:
        if any(len(sphere) != 5 for sphere in scene["spheres"]):
            fail(f"a sphere of {path} is not five numbers: x, y, z, radius and material")
        used = [sphere[4] for sphere in scene["spheres"]] + [mesh["material"] for mesh in scene["meshes"]]
        if not all(0 <= number < len(scene["materials"]) for number in used):
            fail(f"a sphere or a mesh of {path} is of a material that is not there")
    except KeyError as error:
        fail(f"{path} lacks {error}")
    return scene


def rgb(value):
    return {"type": "rgb", "value": list(value)}


def material(described):
    """A material's plugin, and whether it is defined on one side only."""
    kind = described["kind"]
    if kind == "diffuse":
        return {"type": "diffuse", "reflectance": rgb(described["color"])}, True
    if kind == "metal" and described["roughness"] == 0:
        return {"type": "conductor", "material": "none", "specular_reflectance": rgb(described["color"])}, True
    if kind == "metal":
        # GGX of alpha = roughness² under Schlick's Fresnel with F0 = base_color. `roughconductor` knows only eta and k,
        # whose reflectance is several percent off at grazing angles.
        color, roughness = rgb(described["color"]), described["roughness"]
        return {"type": "principled", "base_color": color, "metallic": 1.0, "roughness": roughness}, True
    if kind == "glass":
        return {"type": "dielectric", "int_ior": described["ior"], "ext_ior": 1.0}, False
    if kind == "plastic":
        body, index = rgb(described["color"]), {"int_ior": described["ior"], "ext_ior": 1.0}
        return {"type": "plastic", "diffuse_reflectance": body, "nonlinear": False, **index}, True
    fail(f"no material is called {kind!r}: diffuse, metal, glass or plastic")


def mesh(name, described, bsdf):
    """Triangles without normals at their corners, and so with flat shading."""
    positions = np.asarray(described["positions"], np.float32).reshape(-1, 3)
    triangles = np.asarray(described["triangles"], np.uint32).reshape(-1, 3)
    properties = mi.Properties()
    properties["bsdf"] = bsdf
    made = mi.Mesh(name, len(positions), len(triangles), props=properties)
    parameters = mi.traverse(made)
    parameters["vertex_positions"] = positions.ravel()
    parameters["faces"] = triangles.ravel()
    parameters.update()
    return made


def light(described):
    """Mitsuba's rectangle spans -1 to 1 in x and y and emits toward +z. Behind it is black."""
    u, v, center = (np.asarray(described[name], float) for name in ("u", "v", "center"))
    if abs(u @ v) > 1e-4 * np.linalg.norm(u) * np.linalg.norm(v):
        fail("a light's u and v are not perpendicular")
    normal = np.cross(u, v) / np.linalg.norm(np.cross(u, v))
    frame = np.eye(4)
    frame[:3] = np.stack([u, v, normal, center], axis=1)
    return {
        "type": "rectangle",
        "to_world": mi.ScalarTransform4f(frame),
        "emitter": {"type": "area", "radiance": rgb(described["radiance"])},
        "bsdf": {"type": "diffuse", "reflectance": rgb([0, 0, 0])},
    }


def load(scene, options):
    camera = scene["camera"]
    eye, target = np.asarray(camera["eye"], float), np.asarray(camera["target"], float)
    distance = float(np.linalg.norm(target - eye))
    pixel_filter = {"type": "box"}
    if options.filter == "gaussian":
        pixel_filter = {"type": "gaussian", "stddev": FILTER_DEVIATION}
    parts = {
        "type": "scene",
        # A depth of 1 is what glows and is seen, 2 what it lights: one more than the scatterings that are followed.
        "integrator": {"type": "path", "max_depth": options.bounces + 1, "rr_depth": 5},
        "sensor": {
            "type": "perspective",
            "fov": math.degrees(camera["vertical_fov"]),
            "fov_axis": "y",
            "near_clip": 1e-3 * distance,
            "far_clip": 1e4 * distance,
            "to_world": mi.ScalarTransform4f().look_at(camera["eye"], camera["target"], camera["up"]),
            "film": {
                "type": "hdrfilm",
                "width": scene["width"],
                "height": scene["height"],
                "pixel_format": "rgb",
                "component_format": "float32",
                "rfilter": pixel_filter,
            },
            "sampler": {"type": "independent"},
        },
    }
    if any(scene["sky"]):
        parts["sky"] = {"type": "constant", "radiance": rgb(scene["sky"])}
    for i, described in enumerate(scene["lights"]):
        parts[f"light_{i}"] = light(described)
    closed, open_to_both = [], []
    for described in scene["materials"]:
        plugin, one_sided = material(described)
        closed.append(mi.load_dict(plugin))
        # Ours scatter on both sides; no one sees the inner one of an opaque sphere.
        open_to_both.append(mi.load_dict({"type": "twosided", "bsdf": plugin}) if one_sided else closed[-1])
    for i, described in enumerate(scene["meshes"]):
        parts[f"mesh_{i}"] = mesh(f"mesh_{i}", described, open_to_both[described["material"]])
    for i, (x, y, z, radius, number) in enumerate(scene["spheres"]):
        parts[f"sphere_{i}"] = {"type": "sphere", "center": [x, y, z], "radius": radius, "bsdf": closed[number]}
    return mi.load_dict(parts)


def render(scene, samples, seed):
    """A picture and the seconds that rendering it took.

    Of the llvm variant those are the seconds that its kernels ran, by Dr.Jit's own history. The wall clock around
    `mi.render` also holds the recording of the kernel, which happens anew at each call (milliseconds for a plain scene,
    seconds for one of ten thousand spheres, whatever the samples), and now and then a compilation: a kernel is not
    made for a number of samples, but for which of its inputs Dr.Jit took for constants, and that changes over the first
    few calls. Over longer times the two agree within a percent.
    """
    start = time.perf_counter()
    if not is_llvm():
        picture = mi.render(scene, spp=samples, seed=seed)
        wall = time.perf_counter() - start
        return np.array(picture), wall, wall
    import drjit as dr

    dr.sync_thread()
    dr.kernel_history_clear()
    start = time.perf_counter()
    picture = mi.render(scene, spp=samples, seed=seed)
    dr.eval(picture)
    dr.sync_thread()
    wall = time.perf_counter() - start
    kernels = sum(entry["execution_time"] for entry in dr.kernel_history()) / 1e3
    return np.array(picture), kernels, wall


def is_llvm():
    return mi.variant().startswith("llvm")


def main():
    options = arguments()
    scene = read(options.scene)
    mi.set_variant(options.variant)
    import drjit as dr

    # The scalar variant takes its threads from the same pool.
    dr.set_thread_count(options.threads)
    start = time.perf_counter()
    try:
        loaded = load(scene, options)
    except KeyError as error:
        fail(f"{options.scene} lacks {error}")
    except RuntimeError as error:
        fail(f"Mitsuba takes no such scene: {error}")
    dr.sync_thread()
    build = time.perf_counter() - start
    if is_llvm():
        # The first call of all compiles, fills caches and starts threads.
        dr.set_flag(dr.JitFlag.KernelHistory, True)
        render(loaded, 1, options.seed)
    options.out.mkdir(parents=True, exist_ok=True)
    runs = []
    for samples in options.samples:
        picture, seconds, wall = render(loaded, samples, options.seed)
        picture[:, :, :3].astype("<f4").tofile(options.out / f"{samples}.f32")
        runs.append({"samples": samples, "seconds": seconds, "wall_seconds": wall})
        print(f"{samples} samples: {seconds:.3f} s, by the wall clock {wall:.3f} s", flush=True)
    times = {
        "name": f"Mitsuba {mi.__version__} {options.variant}",
        "version": mi.__version__,
        "variant": options.variant,
        "threads": options.threads,
        "build_seconds": build,
        "runs": runs,
    }
    (options.out / "times.json").write_text(json.dumps(times, indent=1) + "\n")


if __name__ == "__main__":
    main()
