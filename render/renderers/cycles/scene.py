"""Seedstorm's scenes in Blender: shapes, materials, lights, camera and motion, at the same framing.

Blender's z is our y nowhere here: a scene keeps its own axes, and the camera is turned accordingly.
"""

import array
import math

import bpy
from mathutils import Matrix, Quaternion, Vector

# Subdivisions of the mesh that stands for a sphere of glass; opaque ones are points of a cloud, which are round.
BALL_SUBDIVISIONS = 5
# Samples of a round cap, a quarter turn.
CAP_STEPS = 12


class Numbers:
    """The file of plain numbers beside a scene."""

    def __init__(self, path):
        self.bytes = path.read_bytes()

    def read(self, place, kind="f"):
        end = place["offset"] + 4 * place["count"]
        if end > len(self.bytes):
            raise ValueError("the scene's numbers are cut off")
        return array.array(kind, self.bytes[place["offset"] : end])


def build(described, folder):
    numbers = Numbers(folder / described["numbers"])
    scene = bpy.context.scene
    view(described["camera"])
    world(described, numbers)
    for i, light in enumerate(described["lights"]):
        area(f"light {i}", light)
    if described["sun"]:
        sun(described["sun"])
    if described["fog"]:
        fog(described["fog"])
    materials = [Surface(i, each) for i, each in enumerate(described["materials"])]
    shapes(described, materials, numbers)
    render, cycles = scene.render, scene.cycles
    render.film_transparent = False
    render.use_compositing = False
    cycles.max_bounces = 12
    cycles.transparent_max_bounces = 32
    cycles.use_adaptive_sampling = False
    cycles.sample_clamp_direct, cycles.sample_clamp_indirect = 0, 10
    cycles.pixel_filter_type, cycles.filter_width = "BLACKMAN_HARRIS", 1.5
    scene.view_settings.view_transform = "Standard"
    render.use_motion_blur = any("moved" in each for each in described["instances"])
    if render.use_motion_blur:
        render.motion_blur_shutter = 1.0
        cycles.motion_blur_position = "START"
    scene.frame_start, scene.frame_end = 0, 1
    scene.frame_set(0)


def place(data, matrix=None, name=None):
    made = bpy.data.objects.new(name or data.name, data)
    made.matrix_world = matrix or Matrix.Identity(4)
    bpy.context.scene.collection.objects.link(made)
    return made


def columns(x, y, z, origin):
    return Matrix([[*row, o] for row, o in zip(zip(x, y, z), origin)] + [[0, 0, 0, 1]])


def parted(radiance):
    """A colour within 0..1 and the strength that it is multiplied by."""
    strength = max(radiance)
    return [c / strength if strength > 0 else 0 for c in radiance], strength


def view(described):
    eye, target = Vector(described["eye"]), Vector(described["target"])
    back = (eye - target).normalized()
    right = Vector(described["up"]).cross(back).normalized()
    made = bpy.data.cameras.new("camera")
    made.sensor_fit = "VERTICAL"
    made.lens = 0.5 * made.sensor_height / math.tan(0.5 * described["vertical_fov"])
    distance = described["focus_distance"]
    made.clip_start, made.clip_end = 1e-3 * distance, 1e5 * distance
    if described["lens_radius"] > 0:
        made.dof.use_dof = True
        made.dof.focus_distance = distance
        # Blender's lens is in millimetres of a scene in metres.
        made.dof.aperture_fstop = made.lens / 1000 / (2 * described["lens_radius"])
    bpy.context.scene.camera = place(made, columns(right, back.cross(right), back, eye))


class Nodes:
    """A tree of nodes, written from its inputs on."""

    def __init__(self, tree):
        self.tree = tree
        tree.nodes.clear()

    def add(self, kind, settings=None, **inputs):
        made = self.tree.nodes.new(kind)
        for name, value in (settings or {}).items():
            setattr(made, name, value)
        for name, value in inputs.items():
            # `_0` is the first input, any other is called so.
            key = int(name[1:]) if name.startswith("_") else name.replace("__", " ")
            self.put(made.inputs[key], value)
        return made

    def put(self, socket, value):
        if isinstance(value, bpy.types.NodeSocket):
            self.tree.links.new(value, socket)
        else:
            socket.default_value = value

    def math(self, operation, a, b=0.0, clamp=False):
        return self.add("ShaderNodeMath", {"operation": operation, "use_clamp": clamp}, _0=a, _1=b).outputs[0]

    def dot(self, a, b):
        return self.add("ShaderNodeVectorMath", {"operation": "DOT_PRODUCT"}, _0=a, _1=b).outputs["Value"]

    def mix(self, share, a, b):
        settings = {"data_type": "RGBA", "clamp_factor": False}
        made = self.add("ShaderNodeMix", settings)
        for socket, value in zip((s for s in made.inputs if s.enabled), (share, a, b)):
            self.put(socket, value)
        return next(s for s in made.outputs if s.enabled)

    def smooth(self, x):
        """3x² − 2x³."""
        return self.math("MULTIPLY", self.math("MULTIPLY", x, x), self.math("SUBTRACT", 3.0, self.math("MULTIPLY", x, 2.0)))


def world(described, numbers):
    made = bpy.data.worlds.new("sky")
    made.use_nodes = True
    nodes = Nodes(made.node_tree)
    direction = nodes.add("ShaderNodeTexCoord").outputs["Generated"]
    sky, map_ = described["sky"], described["environment"]
    if map_:
        image = bpy.data.images.new("environment", map_["width"], map_["height"], float_buffer=True)
        image.colorspace_settings.name = "Linear"
        read = numbers.read(map_["radiance"])
        pixels = array.array("f", bytes(16 * map_["width"] * map_["height"]))
        for y in range(map_["height"]):
            row = map_["height"] - 1 - y
            for x in range(map_["width"]):
                at, to = 3 * (y * map_["width"] + x), 4 * (row * map_["width"] + x)
                pixels[to : to + 4] = array.array("f", (*read[at : at + 3], 1.0))
        image.pixels.foreach_set(pixels)
        image.pack()
        # Its pole is z, ours is y.
        parts = nodes.add("ShaderNodeSeparateXYZ", _0=direction).outputs
        turned = nodes.add("ShaderNodeCombineXYZ", _0=parts[0], _1=nodes.math("MULTIPLY", parts[2], -1.0), _2=parts[1])
        color = nodes.add("ShaderNodeTexEnvironment", {"image": image}, Vector=turned.outputs[0]).outputs[0]
    else:
        height = nodes.add("ShaderNodeSeparateXYZ", _0=direction).outputs[1]
        up = nodes.math("GREATER_THAN", height, 0.0)
        pole = nodes.mix(up, (*sky["nadir"], 1), (*sky["zenith"], 1))
        share = nodes.smooth(nodes.math("MINIMUM", nodes.math("ABSOLUTE", height), 1.0))
        color = nodes.mix(share, (*sky["horizon"], 1), pole)
    lit = nodes.add("ShaderNodeBackground", Color=color, Strength=1.0).outputs[0]
    backdrop = sky["backdrop"]
    if backdrop:
        axes = bpy.context.scene.camera.matrix_world.to_3x3()
        right, up, forward = axes.col[0], axes.col[1], -axes.col[2]
        half = math.tan(0.5 * described["camera"]["vertical_fov"])
        ahead = nodes.math("MAXIMUM", nodes.dot(direction, forward), 1e-4)
        offsets = []
        for axis, middle in zip((right, up), backdrop["middle"]):
            along = nodes.math("DIVIDE", nodes.dot(direction, axis), nodes.math("MULTIPLY", ahead, half))
            offsets.append(nodes.math("SUBTRACT", along, middle))
        square = nodes.math("ADD", *(nodes.math("MULTIPLY", o, o) for o in offsets))
        reach = nodes.math("DIVIDE", nodes.math("SQRT", square), backdrop["radius"])
        share = nodes.smooth(nodes.math("MINIMUM", reach, 1.0))
        paper = nodes.mix(share, (*backdrop["center"], 1), (*backdrop["edge"], 1))
        shown = nodes.add("ShaderNodeBackground", Color=paper, Strength=1.0).outputs[0]
        way = nodes.add("ShaderNodeLightPath").outputs
        # The camera sees it, through glass too.
        seen = nodes.math("MAXIMUM", way["Is Camera Ray"], way["Is Transmission Ray"])
        lit = nodes.add("ShaderNodeMixShader", _0=seen, _1=lit, _2=shown).outputs[0]
    nodes.add("ShaderNodeOutputWorld", Surface=lit)
    bpy.context.scene.world = made


def area(name, described):
    u, v, center = (Vector(described[key]) for key in ("u", "v", "center"))
    made = bpy.data.lights.new(name, "AREA")
    made.shape = "RECTANGLE"
    made.size, made.size_y = 2 * u.length, 2 * v.length
    made.color, strength = parted(described["radiance"])
    # Blender wants watts, of which Cycles makes radiance: W / (4 · area). It shines along its -z.
    made.energy = strength * 4 * made.size * made.size_y
    made.cycles.use_multiple_importance_sampling = True
    u, v = u.normalized(), -v.normalized()
    place(made, columns(u, v, u.cross(v), center)).visible_camera = described["visible"]


def sun(described):
    made = bpy.data.lights.new("sun", "SUN")
    made.angle = 2 * described["angular_radius"]
    # Irradiance of a disc of this radiance.
    square = math.sin(described["angular_radius"]) ** 2 * math.pi
    made.color, strength = parted(described["radiance"])
    made.energy = strength * square
    back = Vector(described["toward"]).normalized()
    place(made, back.to_track_quat("Z", "Y").to_matrix().to_4x4())


def fog(described):
    low, high = Vector(described["low"]), Vector(described["high"])
    made = bpy.data.materials.new("fog")
    made.use_nodes = True
    nodes = Nodes(made.node_tree)
    density, albedo = described["density"], described["albedo"]
    scatter = nodes.add("ShaderNodeVolumeScatter", Color=(*albedo, 1), Density=density, Anisotropy=described["anisotropy"])
    rest = [1 - c for c in albedo]
    absorb = nodes.add("ShaderNodeVolumeAbsorption", Color=(*(1 - c for c in rest), 1), Density=density)
    both = nodes.add("ShaderNodeAddShader", _0=scatter.outputs[0], _1=absorb.outputs[0])
    nodes.add("ShaderNodeOutputMaterial", Volume=both.outputs[0])
    box = box_mesh("fog", (high - low) / 2)
    box.materials.append(made)
    place(box, Matrix.Translation((low + high) / 2))


class Surface:
    """A material of ours, as often as a shape wants its tint from elsewhere."""

    def __init__(self, number, described):
        self.number, self.described, self.made = number, described, {}

    @property
    def clear(self):
        return self.described["transmission"] > 0

    def by(self, source):
        """`source`: where tint and glow are said, by the object, or by an attribute of points or of a mesh."""
        if source not in self.made:
            self.made[source] = self.make(source)
        return self.made[source]

    def make(self, source):
        it = self.described
        made = bpy.data.materials.new(f"material {self.number} {source}")
        made.use_nodes = True
        nodes = Nodes(made.node_tree)

        def said(name):
            kind = "OBJECT" if source == "object" else "GEOMETRY"
            return nodes.add("ShaderNodeAttribute", {"attribute_type": kind, "attribute_name": name}).outputs["Color"]

        tint = said("tint")
        if source == "mesh":
            own = nodes.add("ShaderNodeAttribute", {"attribute_type": "OBJECT", "attribute_name": "tint"})
            tint = self.product(nodes, tint, own.outputs["Color"])
        base = self.product(nodes, tint, (*it["base_color"], 1))
        if max(it["metallic"], it["transmission"], it["subsurface"]) > 0 or max(it["sheen"]) > 0:
            shader = self.principled(nodes, base)
        else:
            shader = self.coated(nodes, base)
        if it["transmission"] > 0.99 and it["ior"] < 1.001:
            # A pane: straight through, and a mirror of its coat.
            fresnel = nodes.math("MULTIPLY", nodes.add("ShaderNodeFresnel", IOR=1.5).outputs[0], it["coat"])
            gloss = nodes.add("ShaderNodeBsdfGlossy", Color=(1, 1, 1, 1), Roughness=it["coat_roughness"])
            through = nodes.add("ShaderNodeBsdfTransparent", Color=base)
            shader = nodes.add("ShaderNodeMixShader", _0=fresnel, _1=through.outputs[0], _2=gloss.outputs[0]).outputs[0]
        glow = said("emission") if source != "mesh" else None
        own_glow = (*it["emission"], 1)
        if source == "mesh":
            glow = nodes.add("ShaderNodeAttribute", {"attribute_type": "OBJECT", "attribute_name": "emission"})
            glow = glow.outputs["Color"]
        total = nodes.add("ShaderNodeVectorMath", {"operation": "ADD"}, _0=glow, _1=own_glow[:3]).outputs[0]
        emitted = nodes.add("ShaderNodeEmission", Color=total, Strength=1.0).outputs[0]
        shader = nodes.add("ShaderNodeAddShader", _0=shader, _1=emitted).outputs[0]
        outputs = {"Surface": shader}
        absorption = it["absorption"]
        if self.clear and max(absorption) > 0:
            most = max(absorption)
            color = (*(1 - a / most for a in absorption), 1)
            outputs["Volume"] = nodes.add("ShaderNodeVolumeAbsorption", Color=color, Density=most).outputs[0]
        nodes.add("ShaderNodeOutputMaterial", **outputs)
        return made

    def principled(self, nodes, base):
        it = self.described
        inputs = {
            "Metallic": it["metallic"],
            "Roughness": it["roughness"],
            "IOR": it["ior"],
            "Transmission": it["transmission"],
            "Clearcoat": it["coat"],
            "Clearcoat Roughness": it["coat_roughness"],
            "Sheen": min(1.0, max(it["sheen"])),
            "Subsurface": it["subsurface"],
            "Subsurface Radius": it["subsurface_radius"],
        }
        # Reflectance of 0.08 at a specular of one.
        inputs["Specular"] = min(1.0, ((it["ior"] - 1) / (it["ior"] + 1)) ** 2 / 0.08)
        surface = nodes.add("ShaderNodeBsdfPrincipled", {"distribution": "MULTI_GGX"})
        for name, value in inputs.items():
            surface.inputs[name].default_value = value
        nodes.put(surface.inputs["Base Color"], base)
        nodes.put(surface.inputs["Subsurface Color"], base)
        return surface.outputs[0]

    def coated(self, nodes, base):
        """A matt body below a surface that mirrors, and a coat; Principled's body is brighter at grazing angles."""
        it = self.described
        shader = nodes.add("ShaderNodeBsdfDiffuse", Color=base, Roughness=0.0).outputs[0]
        for ior, share, roughness in ((it["ior"], 1.0, it["roughness"]), (1.5, it["coat"], it["coat_roughness"])):
            if ior > 1.001 and share > 0:
                mirrored = nodes.math("MULTIPLY", self.reflectance(nodes, ior, roughness), share)
                specular = min(1.0, ((ior - 1) / (ior + 1)) ** 2 / 0.08)
                inputs = {"Base Color": (0, 0, 0, 1), "Specular": specular, "Roughness": roughness}
                gloss = nodes.add("ShaderNodeBsdfPrincipled", {"distribution": "MULTI_GGX"}, **inputs).outputs[0]
                below = nodes.add("ShaderNodeMixShader", _0=mirrored, _1=shader).outputs[0]
                gloss = nodes.add("ShaderNodeMixShader", _0=share, _2=gloss).outputs[0]
                shader = nodes.add("ShaderNodeAddShader", _0=below, _1=gloss).outputs[0]
        return shader

    @staticmethod
    def reflectance(nodes, ior, roughness):
        """What a rough surface mirrors of all light at the angle that it is seen from, less than a smooth one where that is
        low (Karis 2014, "Physically Based Shading on Mobile")."""
        normal, smooth = ((ior - 1) / (ior + 1)) ** 2, 1 - roughness
        seen = nodes.add("ShaderNodeNewGeometry").outputs
        cos = nodes.math("MAXIMUM", nodes.dot(seen["Normal"], seen["Incoming"]), 0.0)
        grazing = nodes.math("MINIMUM", nodes.math("POWER", 2.0, nodes.math("MULTIPLY", cos, -9.28)), smooth**2)
        grazing = nodes.math("ADD", nodes.math("MULTIPLY", grazing, smooth), 0.0425 - 0.0275 * roughness)
        least = normal * (1.04 - 0.572 * roughness) + 0.022 * roughness - 0.04
        return nodes.math("ADD", nodes.math("MULTIPLY", grazing, 1.04 * (1 - normal)), least, clamp=True)

    @staticmethod
    def product(nodes, a, b):
        b = b[:3] if isinstance(b, tuple) else b
        return nodes.add("ShaderNodeVectorMath", {"operation": "MULTIPLY"}, _0=a, _1=b).outputs[0]


def shapes(described, materials, numbers):
    meshes = [Meshes(f"mesh {i}", each, numbers) for i, each in enumerate(described["meshes"])]
    made, clouds = {}, {}
    for each in described["instances"]:
        shape, surface = each["shape"], materials[each["material"]]
        kind = shape["kind"]
        if kind == "sphere" and not surface.clear and "moved" not in each:
            clouds.setdefault(each["material"], []).append(each)
            continue
        if kind == "mesh":
            mesh, source = meshes[shape["mesh"]].by(surface)
        else:
            # One mesh for all of a size.
            size = {"sphere": (), "capsule": tuple(shape.get(k) for k in ("half_height", "radius")), "box": tuple(shape.get("half", ()))}
            key = (kind, size[kind], each["material"])
            if key not in made:
                made[key] = solid(kind, shape)
                made[key].materials.append(surface.by("object"))
            mesh, source = made[key], "object"
        put(mesh, each, shape["radius"] if kind == "sphere" else 1.0)
    for number, spheres in clouds.items():
        cloud(f"spheres {number}", spheres, materials[number].by("points"))


def put(mesh, each, size):
    def at(pose):
        x, y, z, w = pose["rotation"]
        return Matrix.LocRotScale(Vector(pose["position"]), Quaternion((w, x, y, z)), Vector([each["scale"] * size] * 3))

    made = place(mesh, at(each))
    made["tint"], made["emission"] = each["tint"], each["emission"]
    if "moved" in each:
        made.rotation_mode = "QUATERNION"
        for frame, pose in enumerate((each, each["moved"])):
            made.matrix_world = at(pose)
            for path in ("location", "rotation_quaternion"):
                made.keyframe_insert(path, frame=frame)
        for curve in made.animation_data.action.fcurves:
            for point in curve.keyframe_points:
                point.interpolation = "LINEAR"


class Meshes:
    """A mesh of ours, once for each material that it is seen in."""

    def __init__(self, name, described, numbers):
        self.name, self.made = name, {}
        self.positions = numbers.read(described["positions"])
        self.colors = numbers.read(described["colors"])
        self.smooth = described["normals"]["count"] > 0
        self.triangles = numbers.read(described["triangles"], "I")

    def by(self, surface):
        source = "mesh" if self.colors else "object"
        if surface.number not in self.made:
            mesh = bpy.data.meshes.new(self.name)
            fill(mesh, self.positions, self.triangles, self.smooth)
            if self.colors:
                tint = mesh.attributes.new("tint", "FLOAT_VECTOR", "POINT")
                tint.data.foreach_set("vector", self.colors)
            mesh.materials.append(surface.by(source))
            self.made[surface.number] = mesh
        return self.made[surface.number], source


def fill(mesh, positions, triangles, smooth):
    count = len(triangles) // 3
    mesh.vertices.add(len(positions) // 3)
    mesh.vertices.foreach_set("co", positions)
    mesh.loops.add(3 * count)
    mesh.loops.foreach_set("vertex_index", array.array("i", triangles))
    mesh.polygons.add(count)
    mesh.polygons.foreach_set("loop_start", array.array("i", range(0, 3 * count, 3)))
    mesh.polygons.foreach_set("loop_total", array.array("i", [3]) * count)
    mesh.polygons.foreach_set("use_smooth", array.array("b", [smooth]) * count)
    mesh.update()


def solid(kind, shape):
    if kind == "box":
        return box_mesh("box", shape["half"])
    if kind == "capsule":
        return capsule_mesh(shape["half_height"], shape["radius"])
    bpy.ops.mesh.primitive_ico_sphere_add(subdivisions=BALL_SUBDIVISIONS, radius=1)
    first = bpy.context.object
    mesh = first.data
    bpy.data.objects.remove(first)
    mesh.polygons.foreach_set("use_smooth", [True] * len(mesh.polygons))
    return mesh


def box_mesh(name, half):
    corners = [[s * h for s, h in zip(signs, half)] for signs in ((x, y, z) for x in (-1, 1) for y in (-1, 1) for z in (-1, 1))]
    faces = [(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)]
    mesh = bpy.data.meshes.new(name)
    mesh.from_pydata(corners, [], faces)
    return mesh


def capsule_mesh(half_height, radius):
    around = 4 * CAP_STEPS
    rings = []
    for side in (1, -1):
        steps = range(1, CAP_STEPS + 1) if side > 0 else range(CAP_STEPS, 0, -1)
        for step in steps:
            angle = step / CAP_STEPS * math.pi / 2
            rings.append((radius * math.sin(angle), side * (half_height + radius * math.cos(angle))))
    points = [(0, half_height + radius, 0)]
    for r, y in rings:
        points += [(r * math.cos(t), y, r * math.sin(t)) for t in (2 * math.pi * i / around for i in range(around))]
    points.append((0, -half_height - radius, 0))
    last, faces = len(points) - 1, []
    for i in range(around):
        j = (i + 1) % around
        faces.append((0, 1 + j, 1 + i))
        for ring in range(len(rings) - 1):
            a, b = 1 + ring * around, 1 + (ring + 1) * around
            faces.append((a + i, a + j, b + j, b + i))
        a = 1 + (len(rings) - 1) * around
        faces.append((a + i, a + j, last))
    mesh = bpy.data.meshes.new("capsule")
    mesh.from_pydata(points, [], faces)
    mesh.polygons.foreach_set("use_smooth", [True] * len(mesh.polygons))
    return mesh


def cloud(name, spheres, made):
    """Spheres of one material as points of a cloud, which Cycles meets as true spheres.

    Blender 3.4 lets no script make a point cloud, but a modifier turns a mesh without edges into one."""
    mesh = bpy.data.meshes.new(name)
    mesh.vertices.add(len(spheres))
    mesh.vertices.foreach_set("co", array.array("f", [c for s in spheres for c in s["position"]]))
    radii = mesh.attributes.new("radius", "FLOAT", "POINT")
    radii.data.foreach_set("value", array.array("f", [s["scale"] * s["shape"]["radius"] for s in spheres]))
    for key in ("tint", "emission"):
        said = mesh.attributes.new(key, "FLOAT_VECTOR", "POINT")
        said.data.foreach_set("vector", array.array("f", [c for s in spheres for c in s[key]]))
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
