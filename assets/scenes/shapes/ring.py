"""Writes ring.glb: a ring whose section is a flat oval."""

import json
import math
import struct

AROUND, ACROSS = 56, 20
RADIUS, WIDE, THICK = 0.2, 0.062, 0.045

points, faces = [], []
for i in range(AROUND):
    for j in range(ACROSS):
        u, v = math.tau * i / AROUND, math.tau * j / ACROSS
        out = RADIUS + WIDE * math.cos(v)
        points.append((out * math.cos(u), THICK * math.sin(v), -out * math.sin(u)))
        a, b = i * ACROSS + j, (i + 1) % AROUND * ACROSS + j
        c, d = (i + 1) % AROUND * ACROSS + (j + 1) % ACROSS, i * ACROSS + (j + 1) % ACROSS
        faces += [(a, b, c), (a, c, d)]

binary = b"".join(struct.pack("<3f", *point) for point in points)
split = len(binary)
binary += b"".join(struct.pack("<3H", *face) for face in faces)
document = {
    "asset": {"version": "2.0"},
    "scene": 0,
    "scenes": [{"nodes": [0]}],
    "nodes": [{"mesh": 0}],
    "meshes": [{"primitives": [{"attributes": {"POSITION": 0}, "indices": 1}]}],
    "accessors": [
        {
            "bufferView": 0, "componentType": 5126, "count": len(points), "type": "VEC3",
            "min": [min(p[i] for p in points) for i in range(3)],
            "max": [max(p[i] for p in points) for i in range(3)],
        },
        {"bufferView": 1, "componentType": 5123, "count": 3 * len(faces), "type": "SCALAR"},
    ],
    "bufferViews": [
        {"buffer": 0, "byteOffset": 0, "byteLength": split},
        {"buffer": 0, "byteOffset": split, "byteLength": len(binary) - split},
    ],
    "buffers": [{"byteLength": len(binary)}],
}
text = json.dumps(document, separators=(",", ":")).encode()
text += b" " * (-len(text) % 4)
binary += b"\0" * (-len(binary) % 4)
with open("ring.glb", "wb") as file:
    file.write(struct.pack("<4sII", b"glTF", 2, 28 + len(text) + len(binary)))
    file.write(struct.pack("<I4s", len(text), b"JSON") + text)
    file.write(struct.pack("<I4s", len(binary), b"BIN\0") + binary)
