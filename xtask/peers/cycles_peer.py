"""Blender's Cycles renders one neutral scene description on the CPU: a peer of our tracer.

    blender -b --factory-startup --disable-autoexec -P cycles_peer.py -- SCENE.json
        --samples 1,4,16 --seed 0 --threads 2 --out DIR [--bounces 6] [--balls meshes]

Wants Blender 3.4 and nothing else; its Python needs no numpy. For each number of samples N it writes DIR/N.f32,
little-endian float32 linear Rec. 709 RGB with rows from the top, and last DIR/times.json. Nothing is clamped, denoised,
cut off or shown through a view transform. `mitsuba_peer.py` describes the scene's format.

What differs from ours: a clear ball is a fine mesh, since the points of a cloud do not refract rightly; a rough metal
does not get back what single scattering loses.
"""

import argparse
import array
import json
import math
import pathlib
import sys
import tempfile
import time
import traceback

import bpy
from mathutils import Matrix, Vector

# Of the mesh that stands for a clear ball, 20 · 4⁶ triangles with smooth normals; and of one that stands for any ball
# where balls are to be meshes, 20 · 4², as few as do where a ball is a few pixels wide.
CLEAR_SUBDIVISIONS = 7
BALL_SUBDIVISIONS = 3


def fail(message):
    sys.exit(f"cycles_peer: {message}")


def arguments():
    parser = argparse.ArgumentParser(prog="cycles_peer.py", description="Render a neutral scene with Cycles.")
    parser.add_argument("scene", type=pathlib.Path)
    parser.add_argument("--samples", required=True, help="samples a pixel, one picture each: 1,4,16")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--out", type=pathlib.Path, required=True)
    parser.add_argument("--bounces", type=int, default=6, help="most scatterings; 1 is direct light only")
    parser.add_argument("--balls", choices=("points", "meshes"), default="points", help="what opaque balls are made of")
    options = parser.parse_args(sys.argv[sys.argv.index("--") + 1 :] if "--" in sys.argv else [])
    try:
        options.samples = [int(n) for n in options.samples.split(",")]
    except ValueError:
        fail(f"--samples wants whole numbers with commas between them, not {options.samples!r}")
    if min(options.samples) < 1 or options.bounces < 1 or options.threads < 1 or options.seed < 0:
        fail("samples, bounces and threads start at 1, the seed at 0")
    return options


def read(path):
    try:
        described = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        fail(f"{path} is not a scene: {error}")
    try:
        if any(len(sphere) != 5 for sphere in described["spheres"]):
            fail(f"a sphere of {path} is not five numbers: x, y, z, radius and material")
        used = [sphere[4] for sphere in described["spheres"]] + [mesh["material"] for mesh in described["meshes"]]
        if not all(0 <= number < len(described["materials"]) for number in used):
            fail(f"a sphere or a mesh of {path} is of a material that is not there")
    except KeyError as error:
        fail(f"{path} lacks {error}")
    return described


def parted(radiance):
    """A colour within 0..1 and the strength that it is multiplied by."""
    strength = max(radiance)
    return [c / strength if strength > 0 else 0 for c in radiance], strength


def place(data, matrix=None):
    made = bpy.data.objects.new(data.name, data)
    made.matrix_world = matrix or Matrix.Identity(4)
    bpy.context.scene.collection.objects.link(made)
    return made


def frame(x, y, z, origin):
    """The matrix whose columns these are."""
    return Matrix([[*row, o] for row, o in zip(zip(x, y, z), origin)] + [[0, 0, 0, 1]])


def material(name, described):
    made = bpy.data.materials.new(name)
    made.use_nodes = True
    tree = made.node_tree
    tree.nodes.clear()

    def node(kind, **inputs):
        added = tree.nodes.new(kind)
        for name, value in inputs.items():
            socket = added.inputs[name]
            if isinstance(value, bpy.types.NodeSocket):
                tree.links.new(value, socket)
            else:
                socket.default_value = value
        return added

    kind = described["kind"]
    color = (*described.get("color", (1, 1, 1)), 1)
    if kind == "diffuse":
        surface = node("ShaderNodeBsdfDiffuse", Color=color, Roughness=0)
    elif kind == "metal":
        # GGX of alpha = roughness² and a Fresnel that goes from the colour to white, as Schlick's does.
        named = {"Base Color": color, "Metallic": 1, "Roughness": described["roughness"]}
        surface = node("ShaderNodeBsdfPrincipled", **named)
        surface.distribution = "GGX"
    elif kind == "glass":
        surface = node("ShaderNodeBsdfGlass", Color=(1, 1, 1, 1), Roughness=0, IOR=described["ior"])
        surface.distribution = "SHARP"
    elif kind == "plastic":
        # What the surface reflects toward the viewer is withheld from the body below it, as in ours. In all, that is as
        # much as Mitsuba's linear plastic scatters, which dims what comes in at grazing angles too.
        fresnel = node("ShaderNodeFresnel", IOR=described["ior"])
        body = node("ShaderNodeBsdfDiffuse", Color=color, Roughness=0)
        coat = node("ShaderNodeBsdfGlossy", Color=(1, 1, 1, 1), Roughness=0)
        coat.distribution = "SHARP"
        surface = node("ShaderNodeMixShader", Fac=fresnel.outputs[0])
        tree.links.new(body.outputs[0], surface.inputs[1])
        tree.links.new(coat.outputs[0], surface.inputs[2])
    else:
        fail(f"no material is called {kind!r}: diffuse, metal, glass or plastic")
    node("ShaderNodeOutputMaterial", Surface=surface.outputs[0])
    return made


def cloud(name, spheres, made):
    """Spheres of one material as points of a cloud, which Cycles intersects as true spheres.

    Blender 3.4 lets no script make a point cloud, but a modifier turns a mesh without edges into one."""
    mesh = bpy.data.meshes.new(name)
    mesh.vertices.add(len(spheres))
    mesh.vertices.foreach_set("co", array.array("f", [c for s in spheres for c in s[:3]]))
    mesh.attributes.new("radius", "FLOAT", "POINT").data.foreach_set("value", array.array("f", [s[3] for s in spheres]))
    tree = bpy.data.node_groups.new(name, "GeometryNodeTree")
    tree.inputs.new("NodeSocketGeometry", "Geometry")
    tree.outputs.new("NodeSocketGeometry", "Geometry")
    entry, leave = tree.nodes.new("NodeGroupInput"), tree.nodes.new("NodeGroupOutput")
    radius = tree.nodes.new("GeometryNodeInputNamedAttribute")
    radius.data_type = "FLOAT"
    radius.inputs["Name"].default_value = "radius"
    points = tree.nodes.new("GeometryNodeMeshToPoints")
    paint = tree.nodes.new("GeometryNodeSetMaterial")
    paint.inputs["Material"].default_value = made
    tree.links.new(entry.outputs[0], points.inputs["Mesh"])
    tree.links.new(next(o for o in radius.outputs if o.enabled), points.inputs["Radius"])
    tree.links.new(points.outputs[0], paint.inputs["Geometry"])
    tree.links.new(paint.outputs[0], leave.inputs[0])
    place(mesh).modifiers.new(name, "NODES").node_group = tree


def balls(name, spheres, made, subdivisions):
    """Spheres of one material as instances of a mesh."""
    bpy.ops.mesh.primitive_ico_sphere_add(subdivisions=subdivisions, radius=1)
    first = bpy.context.object
    mesh = first.data
    bpy.data.objects.remove(first)
    mesh.name = name
    mesh.polygons.foreach_set("use_smooth", [True] * len(mesh.polygons))
    mesh.materials.append(made)
    for x, y, z, radius, _ in spheres:
        place(mesh, Matrix.Translation((x, y, z)) @ Matrix.Scale(radius, 4))


def light(name, described):
    u, v, center = (Vector(described[name]) for name in ("u", "v", "center"))
    if abs(u.dot(v)) > 1e-4 * u.length * v.length:
        fail("a light's u and v are not perpendicular")
    made = bpy.data.lights.new(name, "AREA")
    made.shape = "RECTANGLE"
    made.size, made.size_y = 2 * u.length, 2 * v.length
    made.color, strength = parted(described["radiance"])
    # Blender wants watts, of which Cycles makes radiance: W / (4 · area). Behind it such a light is not there.
    made.energy = strength * 4 * made.size * made.size_y
    made.cycles.use_multiple_importance_sampling = True
    # It shines along its -z.
    u, v = u.normalized(), -v.normalized()
    place(made, frame(u, v, u.cross(v), center)).visible_camera = True


def camera(described):
    eye, target = Vector(described["eye"]), Vector(described["target"])
    away = eye - target
    right = Vector(described["up"]).cross(away).normalized()
    made = bpy.data.cameras.new("camera")
    made.sensor_fit = "VERTICAL"
    made.lens = 0.5 * made.sensor_height / math.tan(0.5 * described["vertical_fov"])
    made.clip_start, made.clip_end = 1e-3 * away.length, 1e4 * away.length
    # It looks along its -z.
    back = away.normalized()
    bpy.context.scene.camera = place(made, frame(right, back.cross(right), back, eye))


def build(described, kind):
    for kept in (bpy.data.objects, bpy.data.meshes, bpy.data.materials, bpy.data.lights, bpy.data.cameras):
        for thing in list(kept):
            kept.remove(thing)
    camera(described["camera"])
    world = bpy.data.worlds.new("sky")
    world.use_nodes = True
    color, strength = parted(described["sky"])
    background = world.node_tree.nodes["Background"]
    background.inputs["Color"].default_value = (*color, 1)
    background.inputs["Strength"].default_value = strength
    bpy.context.scene.world = world
    for i, each in enumerate(described["lights"]):
        light(f"light {i}", each)
    materials = [material(f"material {i}", each) for i, each in enumerate(described["materials"])]
    for i, each in enumerate(described["meshes"]):
        mesh = bpy.data.meshes.new(f"mesh {i}")
        mesh.from_pydata(each["positions"], [], each["triangles"])
        mesh.materials.append(materials[each["material"]])
        place(mesh)
    for i, made in enumerate(materials):
        spheres = [s for s in described["spheres"] if s[4] == i]
        if spheres:
            if described["materials"][i]["kind"] == "glass":
                balls(f"spheres {i}", spheres, made, CLEAR_SUBDIVISIONS)
            elif kind == "meshes":
                balls(f"spheres {i}", spheres, made, BALL_SUBDIVISIONS)
            else:
                cloud(f"spheres {i}", spheres, made)


def settings(described, options):
    scene = bpy.context.scene
    render, cycles = scene.render, scene.cycles
    render.engine = "CYCLES"
    render.resolution_x, render.resolution_y = described["width"], described["height"]
    render.resolution_percentage = 100
    render.threads_mode, render.threads = "FIXED", options.threads
    render.use_persistent_data = True
    render.use_compositing = render.use_sequencer = False
    render.film_transparent = False
    render.image_settings.file_format = "OPEN_EXR"
    render.image_settings.color_mode = "RGB"
    render.image_settings.color_depth = "32"
    cycles.device = "CPU"
    cycles.seed = options.seed
    # The first scattering is no bounce in Cycles' counting.
    bounces = options.bounces - 1
    cycles.max_bounces = cycles.diffuse_bounces = cycles.glossy_bounces = cycles.transmission_bounces = bounces
    # A light counts as transparent, and would show what is behind it.
    cycles.transparent_max_bounces = 0
    cycles.use_adaptive_sampling = cycles.use_denoising = cycles.use_auto_tile = cycles.use_fast_gi = False
    cycles.sample_clamp_direct = cycles.sample_clamp_indirect = 0
    cycles.light_sampling_threshold = 0
    cycles.blur_glossy = 0
    cycles.caustics_reflective = cycles.caustics_refractive = True
    cycles.pixel_filter_type, cycles.filter_width = "BLACKMAN_HARRIS", 1.5


def timed(samples, corner=False):
    """Seconds that Blender takes to render a picture, or the pixel in its corner."""
    scene = bpy.context.scene
    scene.cycles.samples = samples
    render = scene.render
    render.use_border = corner
    render.border_max_x = 1 / render.resolution_x if corner else 1
    render.border_max_y = 1 / render.resolution_y if corner else 1
    # Data that persist are not looked at again before they are tagged.
    scene.update_tag()
    start = time.perf_counter()
    bpy.ops.render.render()
    return time.perf_counter() - start


def picture(folder):
    """The last rendering as bytes, by way of a file: Blender's scripts see no other pixels of it."""
    path = str(pathlib.Path(folder) / "picture.exr")
    bpy.data.images["Render Result"].save_render(path, scene=bpy.context.scene)
    image = bpy.data.images.load(path)
    width, height = image.size
    pixels = array.array("f", bytes(4 * image.channels * width * height))
    image.pixels.foreach_get(pixels)
    channels = image.channels
    bpy.data.images.remove(image)
    rows = array.array("f")
    for y in reversed(range(height)):
        row = pixels[y * width * channels : (y + 1) * width * channels]
        for x in range(0, width * channels, channels):
            rows.extend(row[x : x + 3])
    if sys.byteorder == "big":
        rows.byteswap()
    return rows.tobytes()


def main():
    options = arguments()
    described = read(options.scene)
    start = time.perf_counter()
    try:
        build(described, options.balls)
    except KeyError as error:
        fail(f"{options.scene} lacks {error}")
    settings(described, options)
    # Data persist from here on: the first rendering hands the scene to Cycles, which builds its tree; later ones only
    # look whether anything changed. How long that and Blender's own bookkeeping take is seen from one sample of one
    # pixel, the least of a few, and is subtracted.
    timed(1, corner=True)
    build_seconds = time.perf_counter() - start
    beside = min(timed(1, corner=True) for _ in range(5))
    options.out.mkdir(parents=True, exist_ok=True)
    runs = []
    with tempfile.TemporaryDirectory() as folder:
        for samples in options.samples:
            wall = timed(samples)
            seconds = max(wall - beside, 0)
            (options.out / f"{samples}.f32").write_bytes(picture(folder))
            runs.append({"samples": samples, "seconds": seconds, "wall_seconds": wall})
            print(f"{samples} samples: {seconds:.3f} s, by the wall clock {wall:.3f} s", flush=True)
    version = bpy.app.version_string
    times = {
        "name": f"Cycles {version}" + (" with meshes" if options.balls == "meshes" else ""),
        "version": version,
        "threads": options.threads,
        "build_seconds": build_seconds,
        "runs": runs,
    }
    (options.out / "times.json").write_text(json.dumps(times, indent=1) + "\n")


try:
    main()
except Exception:
    # Left alone, Blender ends as if nothing had happened.
    traceback.print_exc()
    sys.exit(1)
