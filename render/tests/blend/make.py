"""Makes .blend files for tests: `blender -b --factory-startup -P make.py -- KIND FILE [ARGUMENTS]`."""

import sys

import bpy

KIND, FILE, *MORE = sys.argv[sys.argv.index("--") + 1 :]


def film():
    """A ball of glass that passes before coloured boxes, 24 frames."""
    scene = bpy.context.scene
    for thing in list(bpy.data.objects):
        bpy.data.objects.remove(thing)
    scene.render.engine = "CYCLES"
    scene.cycles.samples, scene.cycles.use_adaptive_sampling, scene.cycles.max_bounces = 4, False, 4
    scene.render.resolution_x, scene.render.resolution_y, scene.render.resolution_percentage = 128, 96, 50
    scene.frame_start, scene.frame_end, scene.render.fps = 1, 24, 24
    for i, color in enumerate([(0.8, 0.1, 0.05, 1), (0.1, 0.6, 0.2, 1), (0.05, 0.1, 0.7, 1)]):
        made = bpy.data.materials.new(f"paint {i}")
        made.use_nodes = True
        made.node_tree.nodes["Principled BSDF"].inputs["Base Color"].default_value = color
        bpy.ops.mesh.primitive_cube_add(size=1, location=(1.4 * (i - 1), 0, 0.5))
        bpy.context.object.data.materials.append(made)
    bpy.ops.mesh.primitive_uv_sphere_add(radius=0.5, location=(-2, -1.6, 0.6))
    ball = bpy.context.object
    ball.keyframe_insert("location", frame=1)
    ball.location.x = 2
    ball.keyframe_insert("location", frame=24)
    bpy.ops.mesh.primitive_plane_add(size=20)
    light = bpy.data.objects.new("sun", bpy.data.lights.new("sun", "SUN"))
    light.data.energy, light.rotation_euler = 3, (0.6, 0.3, 0)
    scene.collection.objects.link(light)
    camera = bpy.data.objects.new("camera", bpy.data.cameras.new("camera"))
    camera.location, camera.rotation_euler = (0, -7, 3), (1.22, 0, 0)
    scene.collection.objects.link(camera)
    scene.camera = camera


def graded():
    """The same, with its colours turned round by the compositor."""
    film()
    scene = bpy.context.scene
    scene.use_nodes = True
    tree = scene.node_tree
    turned = tree.nodes.new("CompositorNodeInvert")
    tree.links.new(tree.nodes["Render Layers"].outputs[0], turned.inputs["Color"])
    tree.links.new(turned.outputs[0], tree.nodes["Composite"].inputs[0])


def odd():
    """The same, as others would set it up: another engine, a rate that is no whole number, and too large for a film."""
    film()
    render = bpy.context.scene.render
    render.engine = "BLENDER_EEVEE"
    render.fps, render.fps_base = 30, 1.001
    render.resolution_x, render.resolution_y, render.resolution_percentage = 16000, 9000, 100


def hostile(marker, port):
    """Python in every place of a file that can hold it: it writes `marker` and connects to `port` wherever it runs."""
    film()
    do = f"(open({marker!r}, 'w').close(), __import__('socket').create_connection(('127.0.0.1', {port}), 2))"
    text = bpy.data.texts.new("startup.py")
    text.write(f"import bpy\n{do}\nbpy.app.handlers.frame_change_pre.append(lambda *_: {do})\n")
    text.use_module = True
    cube = bpy.data.objects["Cube"]
    driver = cube.driver_add("location", 2).driver
    driver.type = "SCRIPTED"
    driver.expression = f"{do} and 1.0"
    # What the expression calls in place of a plain name, for drivers that are found by the names in them.
    cube["note"] = do
    scene = bpy.context.scene
    scene.use_nodes = True
    output = scene.node_tree.nodes.new("CompositorNodeOutputFile")
    output.base_path = marker + "-folder"
    scene.node_tree.links.new(scene.node_tree.nodes["Render Layers"].outputs[0], output.inputs[0])
    scene.render.filepath = marker + "-frame"


def heavy():
    """More triangles than there is memory for."""
    film()
    modifier = bpy.data.objects["Sphere"].modifiers.new("subdivision", "SUBSURF")
    modifier.render_levels = modifier.levels = 0
    modifier.render_levels = 9


def slow():
    """More samples than there is time for."""
    film()
    bpy.context.scene.cycles.samples = 1 << 22


{"film": film, "odd": odd, "graded": graded, "hostile": hostile, "heavy": heavy, "slow": slow}[KIND](*MORE)
bpy.ops.wm.save_as_mainfile(filepath=FILE, compress=False)
