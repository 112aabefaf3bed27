"""Draws Seedstorm's scenes by POV-Ray: shapes, camera, lights and colours; materials only roughly."""

import array
import json
import math
import os
import pathlib
import subprocess
import sys

JOB, OUT = pathlib.Path(os.environ["JOB"]), pathlib.Path(os.environ["OUT"])
# Levels of each colour of a mesh's triangles: POV-Ray wants a texture for each colour that there is.
LEVELS = 12
# A light's strength is as it is at this share of its distance.
NEAR = 0.02


def say(**reply):
    print(json.dumps(reply), flush=True)


def refuse(why):
    say(error=why)
    sys.exit(0)


def v(x):
    return "<" + ",".join(f"{c:.6g}" for c in x) + ">"


def add(a, b, k=1.0):
    return [p + k * q for p, q in zip(a, b)]


def scaled(a, k):
    return [c * k for c in a]


def dot(a, b):
    return sum(p * q for p, q in zip(a, b))


def cross(a, b):
    return [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]]


def unit(a):
    return scaled(a, 1 / math.sqrt(dot(a, a)))


class Axes:
    """The camera's."""

    def __init__(self, camera):
        self.eye = camera["eye"]
        self.forward = unit(add(camera["target"], self.eye, -1))
        self.right = unit(cross(self.forward, camera["up"]))
        self.up = cross(self.right, self.forward)
        self.half = math.tan(0.5 * camera["vertical_fov"])


def camera(described, axes, size, tile):
    width, height = size
    # The picture's plane is one away; a tile is a window in it.
    up, right = scaled(axes.up, 2 * axes.half), scaled(axes.right, 2 * axes.half * width / height)
    window = tile or {"x": 0, "y": 0, "width": width, "height": height}
    across = (window["x"] + window["width"] / 2) / width - 0.5
    down = (window["y"] + window["height"] / 2) / height - 0.5
    ahead = add(add(axes.forward, right, across), up, -down)
    return (
        f"camera {{ perspective location {v(axes.eye)} direction {v(ahead)}"
        f" right {v(scaled(right, window['width'] / width))} up {v(scaled(up, window['height'] / height))} }}\n"
    )


def sky(described, axes):
    it = described["sky"]
    map_ = described["environment"]
    if map_:
        # Its mean, from everywhere.
        colors = [mean(described["read"](map_["radiance"]))] * 3
    else:
        colors = [it["nadir"], it["horizon"], it["zenith"]]
    low, middle, high = (f"rgb {v(c)}" for c in colors)
    text = (
        "sky_sphere { pigment { gradient y color_map { "
        f"[0 {low}] [0.5 {middle}] [1 {high}] }} scale 2 translate -1 }} }}\n"
    )
    backdrop = it["backdrop"]
    if backdrop:
        far = 1e4
        middle = add(add(axes.forward, axes.right, backdrop["middle"][0] * axes.half), axes.up, backdrop["middle"][1] * axes.half)
        center, edge = (f"rgb {v(backdrop[name])}" for name in ("center", "edge"))
        matrix = [*axes.right, *axes.up, *axes.forward, *add(axes.eye, scaled(middle, far))]
        text += (
            f"plane {{ z, 0 pigment {{ spherical color_map {{ [0 {edge}] [1 {center}] }} scale {far * axes.half * backdrop['radius']:.6g} }}"
            f" finish {{ emission 1 diffuse 0 ambient 0 }} matrix <{','.join(f'{c:.6g}' for c in matrix)}>"
            " no_shadow no_reflection no_radiosity }\n"
        )
    return text


def mean(numbers):
    count = len(numbers) // 3
    return [sum(numbers[c::3]) / count for c in range(3)]


def lights(described):
    text = ""
    for light in described["lights"]:
        u, w = light["u"], light["v"]
        area = 4 * math.sqrt(dot(u, u) * dot(w, w))
        distance = math.sqrt(dot(light["center"], light["center"])) + 1e-6
        near = NEAR * distance
        # POV-Ray's light fades by 2 / (1 + (d / near)²), and its matt surfaces know no π.
        color = scaled(light["radiance"], area / (2 * math.pi * near * near))
        text += (
            f"light_source {{ {v(light['center'])} rgb {v(color)} area_light {v(scaled(u, 2))}, {v(scaled(w, 2))}, 5, 5"
            f" adaptive 1 jitter fade_power 2 fade_distance {near:.6g} }}\n"
        )
    sun = described["sun"]
    if sun:
        solid = math.pi * math.sin(sun["angular_radius"]) ** 2
        color = scaled(sun["radiance"], solid / math.pi)
        text += f"light_source {{ {v(scaled(unit(sun['toward']), 1e4))} rgb {v(color)} parallel point_at <0,0,0> }}\n"
    return text


def texture(material, tint, emission):
    base = [a * b for a, b in zip(material["base_color"], tint)]
    glow = add(material["emission"], emission)
    clear, metal = material["transmission"], material["metallic"]
    share = (1 - metal) * (1 - clear)
    finish = f"ambient 0 diffuse {share:.4g}"
    if max(glow) > 0:
        # Of the pigment, which may be black.
        strength = max(glow)
        if max(base) <= 0:
            base = scaled(glow, 1 / strength)
        finish += f" emission {strength / max(base):.4g}"
    if metal > 0:
        finish += f" reflection {{ rgb {v(scaled(base, metal))} }}"
    elif material["ior"] > 1.01 or material["coat"] > 0:
        normal = ((material["ior"] - 1) / (material["ior"] + 1)) ** 2
        if material["roughness"] < 0.3 or material["coat"] > 0:
            finish += f" reflection {{ {normal:.4g}, 1 fresnel on }} conserve_energy"
    pigment = f"rgb {v(base)}" if clear <= 0 else f"rgbf <{','.join(f'{c:.4g}' for c in [*base, clear])}>"
    return f"texture {{ pigment {{ {pigment} }} finish {{ {finish} }} }}"


def interior(material):
    if material["transmission"] <= 0 and "fresnel" not in texture(material, [1, 1, 1], [0, 0, 0]):
        return ""
    return f" interior {{ ior {max(material['ior'], 1.0001):.4g} }}"


def rows(rotation, scale):
    x, y, z, w = rotation
    return [
        [scale * (1 - 2 * (y * y + z * z)), scale * 2 * (x * y + w * z), scale * 2 * (x * z - w * y)],
        [scale * 2 * (x * y - w * z), scale * (1 - 2 * (x * x + z * z)), scale * 2 * (y * z + w * x)],
        [scale * 2 * (x * z + w * y), scale * 2 * (y * z - w * x), scale * (1 - 2 * (x * x + y * y))],
    ]


def shapes(described, write):
    read = described["read"]
    meshes = [{}for _ in described["meshes"]]
    for each in described["instances"]:
        shape, material = each["shape"], described["materials"][each["material"]]
        numbers = [c for row in rows(each["rotation"], each["scale"]) for c in row] + each["position"]
        place = f"matrix <{','.join(f'{c:.6g}' for c in numbers)}>"
        look = texture(material, each["tint"], each["emission"]) + interior(material)
        kind = shape["kind"]
        if kind == "sphere":
            write(f"sphere {{ <0,0,0>, {shape['radius']:.6g} {look} {place} }}\n")
        elif kind == "box":
            write(f"box {{ {v(scaled(shape['half'], -1))}, {v(shape['half'])} {look} {place} }}\n")
        elif kind == "capsule":
            h, r = shape["half_height"], shape["radius"]
            write(
                f"merge {{ cylinder {{ <0,{-h:.6g},0>, <0,{h:.6g},0>, {r:.6g} }} sphere {{ <0,{-h:.6g},0>, {r:.6g} }}"
                f" sphere {{ <0,{h:.6g},0>, {r:.6g} }} {look} {place} }}\n"
            )
        else:
            mesh(described["meshes"][shape["mesh"]], read, material, each, look, place, write)


def vectors(numbers):
    return ",".join(f"<{numbers[i]:.6g},{numbers[i + 1]:.6g},{numbers[i + 2]:.6g}>" for i in range(0, len(numbers), 3))


def mesh(described, read, material, each, look, place, write):
    positions, triangles = read(described["positions"]), read(described["triangles"], "I")
    if not triangles:
        return
    write(f"mesh2 {{ vertex_vectors {{ {len(positions) // 3},{vectors(positions)} }}\n")
    if described["normals"]["count"]:
        normals = read(described["normals"])
        write(f"normal_vectors {{ {len(normals) // 3},{vectors(normals)} }}\n")
    used = None
    if described["colors"]["count"]:
        colors, textures, used = read(described["colors"]), {}, []
        for i in range(0, len(triangles), 3):
            corners = triangles[i : i + 3]
            color = tuple(round(sum(colors[3 * k + c] for k in corners) / 3 * LEVELS) for c in range(3))
            used.append(textures.setdefault(color, len(textures)))
        write(f"texture_list {{ {len(textures)},")
        for color in textures:
            tint = [a * c / LEVELS for a, c in zip(each["tint"], color)]
            write(texture(material, tint, each["emission"]) + "\n")
        write("}\n")
    count = len(triangles) // 3
    write(f"face_indices {{ {count}")
    for t in range(count):
        a, b, c = triangles[3 * t : 3 * t + 3]
        write(f",<{a},{b},{c}>" + (f",{used[t]}" if used else ""))
    write(" }\n")
    write((interior(material) if used else look) + f" {place} }}\n")


def draw(task, frame):
    described = json.loads((JOB / frame["input"]).read_text())
    if described["version"] != 1:
        refuse(f"this reads scenes of version 1, not {described['version']}")
    numbers = (JOB / described["numbers"]).read_bytes()

    def read(place, kind="f"):
        return array.array(kind, numbers[place["offset"] : place["offset"] + 4 * place["count"]])

    described["read"] = read
    name = f"{frame['number']:04}"
    size, tile = task["size"], task["tile"]
    axes = Axes(described["camera"])
    with open(OUT / f"{name}.pov", "w") as file:
        file.write(
            "#version 3.7;\nglobal_settings { assumed_gamma 1 max_trace_level 8 radiosity { pretrace_start 0.08"
            " pretrace_end 0.01 count 120 error_bound 0.6 nearest_count 8 recursion_limit 2 gray_threshold 0 } }\n"
        )
        file.write(camera(described, axes, size, tile) + sky(described, axes) + lights(described))
        shapes(described, file.write)
    width, height = (tile["width"], tile["height"]) if tile else size
    rays = max(2, min(4, math.isqrt(task["samples"] or 9)))
    options = [f"+I{name}.pov", f"+O{name}.exr", f"+W{width}", f"+H{height}", "+FE", "+A0.0", "+AM1", f"+R{rays}"]
    options += [f"+WT{task['threads']}", "-D", "-V", "-GA"]
    # It may write to the folder that it stands in.
    ran = subprocess.run(["povray", *options], cwd=OUT, stdin=subprocess.DEVNULL, stdout=sys.stderr, check=False)
    os.remove(OUT / f"{name}.pov")
    if ran.returncode != 0:
        refuse(f"POV-Ray ended with {ran.returncode}")
    say(frame=frame["number"], file=f"{name}.exr")


def main():
    task = json.loads(sys.stdin.readline())
    for done, frame in enumerate(task["frames"]):
        draw(task, frame)
        say(progress=(done + 1) / len(task["frames"]))


main()
