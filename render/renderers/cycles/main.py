"""Draws frames by Blender's Cycles: of Seedstorm's scenes, and of files by others, whose own scripts are not run."""

import json
import os
import pathlib
import sys
import traceback

import bpy

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import scene as seedstorm  # noqa: E402

JOB, OUT = pathlib.Path(os.environ["JOB"]), pathlib.Path(os.environ["OUT"])
REPLIES = os.fdopen(3, "w")


def say(**reply):
    REPLIES.write(json.dumps(reply) + "\n")
    REPLIES.flush()


class Refused(Exception):
    """What was asked cannot be done, in words."""


def load(path):
    try:
        bpy.ops.wm.open_mainfile(filepath=str(path), load_ui=False, use_scripts=False)
    except RuntimeError as error:
        raise Refused(f"Blender {bpy.app.version_string} cannot open the file: {error}") from None
    if bpy.context.scene is None:
        raise Refused("the file has no scene")
    if bpy.context.scene.camera is None:
        raise Refused("the file's scene has no camera")
    apart = [image.name for image in bpy.data.images if image.source in ("FILE", "SEQUENCE", "MOVIE", "TILED") and image.users and not image.packed_file and not image.packed_files]
    apart += [library.name for library in bpy.data.libraries]
    if apart:
        raise Refused(
            f"these are not in the file: {', '.join(apart)[:300]}; File > External Data > Pack Resources puts them there"
        )
    # Pictures go where they were asked for, and nowhere else.
    for scene in bpy.data.scenes:
        if scene.node_tree:
            for node in [node for node in scene.node_tree.nodes if node.type == "OUTPUT_FILE"]:
                scene.node_tree.nodes.remove(node)


def describe(task):
    load(JOB / task["input"])
    made = bpy.context.scene
    render = made.render
    percent, fps = render.resolution_percentage / 100, render.fps / render.fps_base
    film = {
        "frames": [made.frame_start, made.frame_end],
        "fps": max(1, min(120, round(fps))),
        "size": [int(render.resolution_x * percent), int(render.resolution_y * percent)],
    }
    notes = []
    if render.engine != "CYCLES":
        notes.append(f"the file was made for {render.engine}, and is drawn by Cycles: light and materials may differ")
    if abs(film["fps"] - fps) > 1e-3:
        notes.append(f"{fps:.3f} frames a second become {film['fps']}")
    if render.pixel_aspect_x != render.pixel_aspect_y:
        notes.append("its pixels are not square, and are shown as if they were")
    if notes:
        film["note"] = "; ".join(notes)
    say(film=film)


def settings(task):
    """What holds for every scene, whoever made it."""
    scene = bpy.context.scene
    render, cycles = scene.render, scene.cycles
    render.engine = "CYCLES"
    cycles.device = "CPU"
    cycles.seed = task["seed"] % (1 << 31)
    if task.get("samples"):
        cycles.samples = task["samples"]
    render.threads_mode, render.threads = "FIXED", task["threads"]
    if task.get("size"):
        render.resolution_x, render.resolution_y = task["size"]
        render.resolution_percentage = 100
    render.use_overwrite, render.use_placeholder, render.use_multiview = True, False, False
    render.use_sequencer = False
    # Its pattern begins anew in each tile.
    render.dither_intensity = 0
    # Debian's Blender has no denoiser of Intel's, and would stop.
    if hasattr(cycles, "use_denoising"):
        cycles.use_denoising = False
    image = render.image_settings
    if task["format"] == "exr":
        image.file_format, image.color_mode, image.color_depth, image.exr_codec = "OPEN_EXR", "RGB", "32", "ZIP"
    else:
        image.file_format, image.color_mode, image.color_depth = "PNG", "RGB", "8"
    tile = task.get("tile")
    render.use_border = render.use_crop_to_border = bool(tile)
    if tile:
        percent = render.resolution_percentage / 100
        width, height = int(render.resolution_x * percent), int(render.resolution_y * percent)
        # Counted from below; a quarter of a pixel keeps rounding on the right side.
        render.border_min_x = (tile["x"] + 0.25) / width
        render.border_max_x = (tile["x"] + tile["width"] + 0.25) / width
        render.border_min_y = (height - tile["y"] - tile["height"] + 0.25) / height
        render.border_max_y = (height - tile["y"] + 0.25) / height
        if scene.use_nodes and render.use_compositing and not task.get("size"):
            raise Refused("the file's compositor works on whole frames: draw it without tiles, or switch compositing off")
        render.use_compositing = False
        # What chance decides must not look at its neighbours; so a tile has no fewer samples than the whole.
        cycles.use_adaptive_sampling = False


def draw(number):
    name = f"{number:04}"
    scene = bpy.context.scene
    scene.render.use_file_extension = True
    scene.render.filepath = str(OUT / name)
    bpy.ops.render.render(write_still=True)
    ending = "exr" if scene.render.image_settings.file_format == "OPEN_EXR" else "png"
    say(frame=number, file=f"{name}.{ending}")


def render(task):
    loaded = None
    for done, frame in enumerate(task["frames"]):
        path = JOB / frame["input"]
        if path.suffix == ".json":
            described = json.loads(path.read_text())
            if described["version"] != 1:
                raise Refused(f"this reads scenes of version 1, not {described['version']}")
            bpy.ops.wm.read_factory_settings(use_empty=True)
            seedstorm.build(described, JOB)
            settings(task)
        else:
            if path != loaded:
                load(path)
                settings(task)
                loaded = path
            bpy.context.scene.frame_set(frame["number"])
        draw(frame["number"])
        say(progress=(done + 1) / len(task["frames"]))


def main():
    task = json.loads(sys.stdin.readline())
    {"describe": describe, "render": render}[task["task"]](task)


try:
    main()
except Refused as refused:
    say(error=str(refused))
    sys.exit(1)
except Exception as error:
    traceback.print_exc()
    say(error=f"{type(error).__name__}: {error}"[:1000])
    sys.exit(1)
