"""A plain MLS-MPM liquid in Taichi on the CPU: the peer of `sim/examples/bench.rs matter`.

Written after Hu et al., "A moving least squares material point method with displacement discontinuity and two-way rigid
body coupling" (2018), the way Taichi's own examples write it: 32-bit floats, one loop over the particles for each
transfer, stencils unrolled. The same particles, grid and steps as ours, and a simpler pressure.

    python taichi_mpm.py THREADS STEPS      prints one line of JSON
"""

import json
import sys
import time

import taichi as ti

threads, steps = int(sys.argv[1]), int(sys.argv[2])
ti.init(arch=ti.cpu, cpu_max_num_threads=threads, default_fp=ti.f32, log_level=ti.ERROR, offline_cache=False)

CELLS, COLUMN = 64, (66, 64, 64)
STIFFNESS, GRAVITY, DENSITY = 0.02, -2e-4, 8.0
particles = COLUMN[0] * COLUMN[1] * COLUMN[2]

x = ti.Vector.field(3, float, particles)
v = ti.Vector.field(3, float, particles)
c = ti.Matrix.field(3, 3, float, particles)
volume = ti.field(float, particles)
momentum = ti.Vector.field(3, float, (CELLS,) * 3)
mass = ti.field(float, (CELLS,) * 3)


@ti.kernel
def column():
    for p in x:
        i, j, k = p // (COLUMN[1] * COLUMN[2]), p // COLUMN[2] % COLUMN[1], p % COLUMN[2]
        x[p] = [3.25 + i * 0.5, 3.25 + j * 0.5, 16.25 + k * 0.5]
        v[p], c[p] = ti.zero(v[p]), ti.zero(c[p])
        volume[p] = 1.0


@ti.func
def weights(fx):
    return [0.5 * (1.5 - fx) ** 2, 0.75 - (fx - 1) ** 2, 0.5 * (fx - 0.5) ** 2]


@ti.kernel
def step():
    for node in ti.grouped(mass):
        momentum[node] = ti.zero(momentum[node])
        mass[node] = 0
    for p in x:
        base = (x[p] - 0.5).cast(int)
        fx = x[p] - base.cast(float)
        w = weights(fx)
        affine = c[p] - ti.Matrix.identity(float, 3) * (4 * STIFFNESS * (volume[p] - 1) / DENSITY)
        for i, j, k in ti.static(ti.ndrange(3, 3, 3)):
            offset = ti.Vector([i, j, k])
            weight = w[i][0] * w[j][1] * w[k][2]
            momentum[base + offset] += weight * (v[p] + affine @ (offset.cast(float) - fx))
            mass[base + offset] += weight
    for node in ti.grouped(mass):
        if mass[node] > 0:
            momentum[node] /= mass[node]
            momentum[node][1] += GRAVITY
            for axis in ti.static(range(3)):
                if node[axis] < 3 and momentum[node][axis] < 0:
                    momentum[node][axis] = 0
                if node[axis] > CELLS - 4 and momentum[node][axis] > 0:
                    momentum[node][axis] = 0
    for p in x:
        base = (x[p] - 0.5).cast(int)
        fx = x[p] - base.cast(float)
        w = weights(fx)
        velocity, gradient = ti.zero(v[p]), ti.zero(c[p])
        for i, j, k in ti.static(ti.ndrange(3, 3, 3)):
            offset = ti.Vector([i, j, k])
            part = w[i][0] * w[j][1] * w[k][2] * momentum[base + offset]
            velocity += part
            gradient += 4 * part.outer_product(offset.cast(float) - fx)
        v[p], c[p] = velocity, gradient
        x[p] += velocity
        volume[p] *= 1 + gradient.trace()


column()
# Compiled here, and not while it is timed; the step is one of the column's all the same.
step()
ti.sync()
column()
seconds = []
for _ in range(steps):
    start = time.perf_counter()
    step()
    ti.sync()
    seconds.append(time.perf_counter() - start)
assert all(3 <= place < CELLS for place in x[particles // 2]), "the peer's liquid left its box"
print(json.dumps({"particles": particles, "seconds": seconds, "version": ".".join(map(str, ti.__version__))}))
