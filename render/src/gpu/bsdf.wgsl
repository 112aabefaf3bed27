// See `microfacet.rs` and `bsdf.rs`.

// ---- Materials: 7 each.

struct Material {
    base_color: vec3<f32>,
    metallic: f32,
    absorption: vec3<f32>,
    roughness: f32,
    emission: vec3<f32>,
    transmission: f32,
    ior: f32,
    coat: f32,
    coat_roughness: f32,
    dispersion: f32,
    film: f32,
    film_ior: f32,
    sheen: vec3<f32>,
    sheen_roughness: f32,
    subsurface_radius: vec3<f32>,
    subsurface: f32,
}

fn material_of(index: u32) -> Material {
    let at = params.more.x + index * 7u;
    let color = looks[at];
    let absorption = looks[at + 1u];
    let emission = looks[at + 2u];
    let rest = looks[at + 3u];
    let film = looks[at + 4u];
    let sheen = looks[at + 5u];
    let inside = looks[at + 6u];
    return Material(
        color.xyz, color.w, absorption.xyz, absorption.w, emission.xyz, emission.w, rest.x, rest.y, rest.z, rest.w,
        film.x, film.y, sheen.xyz, sheen.w, inside.xyz, inside.w,
    );
}

fn absorbed(material: Material, length: f32) -> vec3<f32> {
    return exp(material.absorption * -length);
}

// ---- Microfacets, of GGX α.

fn alpha_of(roughness: f32) -> f32 {
    return max(roughness * roughness, LEAST_ALPHA);
}

fn facet_density(alpha: f32, h: vec3<f32>) -> f32 {
    let a2 = alpha * alpha;
    let s = (h.x * h.x + h.y * h.y) / a2 + h.z * h.z;
    return 1.0 / (PI * a2 * s * s);
}

fn smith_lambda(alpha: f32, w: vec3<f32>) -> f32 {
    let tan2 = (w.x * w.x + w.y * w.y) / max(w.z * w.z, 1e-20);
    return 0.5 * (sqrt(1.0 + alpha * alpha * tan2) - 1.0);
}

fn seen(alpha: f32, w: vec3<f32>) -> f32 {
    return 1.0 / (1.0 + smith_lambda(alpha, w));
}

fn seen_from_both(alpha: f32, a: vec3<f32>, b: vec3<f32>) -> f32 {
    return 1.0 / (1.0 + smith_lambda(alpha, a) + smith_lambda(alpha, b));
}

fn visible_density(alpha: f32, w: vec3<f32>, h: vec3<f32>) -> f32 {
    return seen(alpha, w) * max(dot(w, h), 0.0) * facet_density(alpha, h) / w.z;
}

fn sample_facet(alpha: f32, w: vec3<f32>, u: vec2<f32>) -> vec3<f32> {
    let stretched = normalize(vec3(w.x * alpha, w.y * alpha, w.z));
    let phi = u.x * TAU;
    let z = (1.0 - u.y) * (1.0 + stretched.z) - stretched.z;
    let r = sqrt(max(1.0 - z * z, 0.0));
    let h = vec3(r * cos(phi), r * sin(phi), z) + stretched;
    return normalize(vec3(h.x * alpha, h.y * alpha, max(h.z, 1e-12)));
}

fn schlick(cosine: f32) -> f32 {
    let x = clamp(1.0 - cosine, 0.0, 1.0);
    let x2 = x * x;
    return x2 * x2 * x;
}

fn normal_reflectance(ior: f32) -> f32 {
    let r = (ior - 1.0) / (ior + 1.0);
    return r * r;
}

// Reflectance, and the cosine of the refracted ray.
fn fresnel(cosine: f32, eta: f32) -> vec2<f32> {
    let sin2_t = (1.0 - cosine * cosine) / (eta * eta);
    if sin2_t >= 1.0 {
        return vec2(1.0, 0.0);
    }
    let cos_t = sqrt(1.0 - sin2_t);
    let perpendicular = (cosine - eta * cos_t) / (cosine + eta * cos_t);
    let parallel = (eta * cosine - cos_t) / (eta * cosine + cos_t);
    return vec2(0.5 * (perpendicular * perpendicular + parallel * parallel), cos_t);
}

fn table_entry(row: u32, column: u32) -> vec2<f32> {
    let index = (row * STEPS + column) * 2u;
    return vec2(number(params.places.w, index), number(params.places.w, index + 1u));
}

fn reflectance(cosine: f32, roughness: f32) -> vec2<f32> {
    let y = clamp(roughness, 0.0, 1.0) * f32(STEPS - 1u);
    let x = clamp(cosine, 0.0, 1.0) * f32(STEPS - 1u);
    let row = min(u32(y), STEPS - 2u);
    let column = min(u32(x), STEPS - 2u);
    let fr = y - f32(row);
    let fc = x - f32(column);
    let upper = table_entry(row, column) * (1.0 - fc) + table_entry(row, column + 1u) * fc;
    let lower = table_entry(row + 1u, column) * (1.0 - fc) + table_entry(row + 1u, column + 1u) * fc;
    return upper * (1.0 - fr) + lower * fr;
}

// ---- Tables of numbers in [0, 1]; see `table.rs`.

// Where a number lies among `steps` places: the one below, and the share of the way to the next.
fn step_of(x: f32, steps: u32) -> vec2<f32> {
    let scaled = clamp(x, 0.0, 1.0) * f32(steps - 1u);
    let index = min(u32(scaled), steps - 2u);
    return vec2(f32(index), scaled - f32(index));
}

fn between(place: u32, index: u32, share: f32) -> f32 {
    return mix(number(place, index), number(place, index + 1u), share);
}

fn sheen_reflectance(roughness: f32, cosine: f32) -> f32 {
    let y = step_of((roughness - LEAST_SHEEN) / (1.0 - LEAST_SHEEN), SHEEN_STEPS);
    let x = step_of(sqrt(max(cosine, 0.0)), SHEEN_STEPS);
    let first = u32(y.x) * SHEEN_STEPS + u32(x.x);
    return mix(between(params.tables.x, first, x.y), between(params.tables.x, first + SHEEN_STEPS, x.y), y.y);
}

fn glass_keeps(cosine: f32, roughness: f32, ior: f32, inside: bool) -> f32 {
    let z = step_of((ior - 1.0) / (ior + 1.0) * ((DENSEST + 1.0) / (DENSEST - 1.0)), GLASS_STEPS);
    let y = step_of(roughness, GLASS_STEPS);
    let x = step_of(cosine, GLASS_STEPS);
    let side = select(0u, GLASS_STEPS, inside);
    let at = params.tables.y;
    let first = ((side + u32(z.x)) * GLASS_STEPS + u32(y.x)) * GLASS_STEPS + u32(x.x);
    let next = first + GLASS_STEPS * GLASS_STEPS;
    let near = mix(between(at, first, x.y), between(at, first + GLASS_STEPS, x.y), y.y);
    let far = mix(between(at, next, x.y), between(at, next + GLASS_STEPS, x.y), y.y);
    return mix(near, far, z.y);
}

// ---- Fuzz; see `sheen.rs`.

fn sheen_lobe(roughness: f32, away: vec3<f32>, toward: vec3<f32>) -> f32 {
    let power = 1.0 / (roughness * roughness);
    let half = normalize(away + toward);
    let sine = sqrt(max(1.0 - half.z * half.z, 0.0));
    // A power of 0 is not everywhere 0.
    let raised = select(0.0, pow(max(sine, 1e-30), power), sine > 0.0);
    let density = (2.0 + power) * raised * (0.5 * INV_PI);
    return density * toward.z / (4.0 * max(away.z + toward.z - away.z * toward.z, 1e-6));
}

// ---- Films; see `thin_film.rs`.

struct ThinFilm {
    thickness: f32,
    ior: f32,
    near: f32,
    far: f32,
}

fn film_of(material: Material, ior: f32, inside: bool) -> ThinFilm {
    return ThinFilm(material.film, material.film_ior, select(1.0, ior, inside), select(ior, 1.0, inside));
}

fn face_of(from_ior: f32, to_ior: f32, cos_from: f32, cos_to: f32) -> vec2<f32> {
    return vec2(
        (from_ior * cos_from - to_ior * cos_to) / (from_ior * cos_from + to_ior * cos_to),
        (to_ior * cos_from - from_ior * cos_to) / (to_ior * cos_from + from_ior * cos_to),
    );
}

// The cosine within a layer; 0 where no light enters.
fn within(film: ThinFilm, cosine: f32, ior: f32) -> f32 {
    let ratio = film.near / ior;
    return sqrt(max(1.0 - ratio * ratio * (1.0 - cosine * cosine), 0.0));
}

fn film_channel(path: f32, wavelengths: vec3<f32>, upper: vec2<f32>, lower: vec2<f32>) -> f32 {
    var sum = 0.0;
    for (var i = 0u; i < 3u; i++) {
        let both = 2.0 * upper * lower * cos(path / wavelengths[i]);
        let squares = upper * upper + lower * lower + both;
        let share = squares / (1.0 + upper * upper * lower * lower + both);
        sum += share.x + share.y;
    }
    return clamp(sum * (1.0 / 6.0), 0.0, 1.0);
}

fn film_reflects(film: ThinFilm, cos_film: f32, upper: vec2<f32>, r: vec2<f32>, g: vec2<f32>, b: vec2<f32>) -> vec3<f32> {
    let path = 4.0 * PI * film.ior * film.thickness * cos_film;
    return vec3(
        film_channel(path, vec3(590.0, 615.0, 645.0), upper, r),
        film_channel(path, vec3(525.0, 545.0, 570.0), upper, g),
        film_channel(path, vec3(440.0, 460.0, 485.0), upper, b),
    );
}

fn film_over_glass(film: ThinFilm, cosine: f32) -> vec3<f32> {
    let cos_film = within(film, cosine, film.ior);
    let cos_far = within(film, cosine, film.far);
    if cos_film <= 0.0 || cos_far <= 0.0 {
        return vec3(1.0);
    }
    let lower = face_of(film.ior, film.far, cos_film, cos_far);
    return film_reflects(film, cos_film, face_of(film.near, film.ior, cosine, cos_film), lower, lower, lower);
}

fn film_over_metal(film: ThinFilm, cosine: f32, color: vec3<f32>) -> vec3<f32> {
    let cos_film = within(film, cosine, film.ior);
    if cos_film <= 0.0 {
        return vec3(1.0);
    }
    let amplitude = sqrt(max(mix(color, vec3(1.0), schlick(cos_film)), vec3(0.0)));
    let turned = vec2(-1.0, 1.0);
    let upper = face_of(film.near, film.ior, cosine, cos_film);
    return film_reflects(film, cos_film, upper, turned * amplitude.x, turned * amplitude.y, turned * amplitude.z);
}

fn coat_reflectance(cover: f32, roughness: f32, cosine: f32) -> f32 {
    if cover <= 0.0 {
        return 0.0;
    }
    let ab = reflectance(cosine, roughness);
    return cover * (normal_reflectance(COAT_IOR) * ab.x + ab.y);
}

fn through_pane(material: Material, tint: vec3<f32>, cosine: f32, inside: bool) -> vec3<f32> {
    let color = clamp(material.base_color * tint, vec3(0.0), vec3(1.0));
    let cover = select(material.coat, 0.0, inside);
    var reflected = vec3(0.0);
    if material.film > 0.0 {
        reflected = film_over_glass(film_of(material, 1.0, inside), max(cosine, 1e-3));
    }
    let below_coat = 1.0 - coat_reflectance(cover, material.coat_roughness, max(cosine, 1e-3));
    return sqrt(color) * (vec3(1.0) - reflected) * below_coat;
}

// ---- The surface's scattering.

struct Facing {
    normal: vec3<f32>,
    facet_normal: vec3<f32>,
    away: vec3<f32>,
    inside: bool,
}

struct Bsdf {
    basis: Basis,
    facet_normal: vec3<f32>,
    away: vec3<f32>,
    base_alpha: f32,
    coat_alpha: f32,
    fuzz: vec3<f32>,
    below_fuzz: f32,
    sheen_roughness: f32,
    sheen_limit: f32,
    coat_strength: f32,
    below_coat: f32,
    reflect_normal: vec3<f32>,
    reflect_grazing: vec3<f32>,
    film: ThinFilm,
    metal_color: vec3<f32>,
    metal_below_film: vec3<f32>,
    diffuse: vec3<f32>,
    enters: f32,
    glass: f32,
    glass_tint: vec3<f32>,
    eta: f32,
    least_reflected: f32,
    clear: bool,
    unbent: bool,
    narrow: bool,
    narrow_coat: bool,
    choice: vec4<f32>,
    soft: bool,
    albedo: vec3<f32>,
    shows_others: bool,
}

// How samples of a surface are spent.
struct Drawn {
    least_roughness: f32,
    least_reflected: f32,
    spectrum: f32,
}

fn spectral(place: f32) -> vec3<f32> {
    return vec3(
        4.0 * max(1.0 - 2.0 * place, 0.0), 2.0 - 2.0 * abs(2.0 * place - 1.0), 4.0 * max(2.0 * place - 1.0, 0.0),
    );
}

fn bsdf_of(material: Material, tint: vec3<f32>, facing: Facing, drawn: Drawn) -> Bsdf {
    let least_roughness = drawn.least_roughness;
    let least_reflected = drawn.least_reflected;
    let color = clamp(material.base_color * tint, vec3(0.0), vec3(1.0));
    var normal = facing.normal;
    let facing_cos = dot(normal, facing.away);
    if facing_cos < 0.02 {
        normal = normalize(normal + facing.away * (0.02 - facing_cos));
    }
    var b: Bsdf;
    b.basis = basis_around(normal);
    b.away = to_local(b.basis, facing.away);
    b.away.z = max(b.away.z, 1e-3);
    let roughness = clamp(max(material.roughness, least_roughness), 0.0, 1.0);
    let metal = clamp(material.metallic, 0.0, 1.0);
    let clear_share = (1.0 - metal) * clamp(material.transmission, 0.0, 1.0);
    let opaque_share = (1.0 - metal) * (1.0 - clamp(material.transmission, 0.0, 1.0));

    b.fuzz = select(material.sheen, vec3(0.0), facing.inside);
    b.sheen_roughness = max(max(material.sheen_roughness, least_roughness), LEAST_SHEEN);
    let whole_sheen = sheen_reflectance(b.sheen_roughness, b.away.z);
    let fuzz_reflects = min(whole_sheen, 1.0);
    b.sheen_limit = fuzz_reflects / max(whole_sheen, 1e-9);
    b.below_fuzz = 1.0 - largest(b.fuzz) * fuzz_reflects;

    b.coat_strength = select(clamp(material.coat, 0.0, 1.0), 0.0, facing.inside);
    let coat_roughness = clamp(max(material.coat_roughness, least_roughness), 0.0, 1.0);
    let coat_reflects = coat_reflectance(b.coat_strength, coat_roughness, b.away.z);
    b.below_coat = (1.0 - coat_reflects) * b.below_fuzz;

    let ab = reflectance(b.away.z, roughness);
    let single = ab.x + ab.y;
    let compensation = vec3(1.0) + color * ((1.0 - single) / single);
    let dielectric = normal_reflectance(material.ior);
    let dielectric_reflects = dielectric * ab.x + ab.y;
    b.unbent = material.ior <= UNBENT_IOR;
    let boundary = select(1.0, 0.0, b.unbent);
    let ior = select(max(material.ior + material.dispersion * (drawn.spectrum - 0.5), 1.0), 1.0, b.unbent);
    b.film = film_of(material, ior, facing.inside);
    let filmed = material.film > 0.0;
    let plain_metal = select(metal, 0.0, filmed);
    b.reflect_normal = color * compensation * plain_metal + vec3(opaque_share * boundary * dielectric);
    b.reflect_grazing = compensation * plain_metal + vec3(opaque_share * boundary);
    b.metal_color = color;
    b.metal_below_film = compensation * (metal - plain_metal);
    let body = opaque_share * (1.0 - boundary * dielectric_reflects);
    b.enters = select(body * clamp(material.subsurface, 0.0, 1.0), 0.0, facing.inside);
    b.diffuse = color * (body - b.enters);
    var reflected = b.reflect_normal * ab.x + b.reflect_grazing * ab.y;
    if plain_metal < metal {
        reflected += b.metal_below_film * film_over_metal(b.film, b.away.z, color) * single;
    }
    let above = vec3(coat_reflects * b.below_fuzz) + b.fuzz * fuzz_reflects;
    b.albedo = min((reflected + color * (body + clear_share)) * b.below_coat + above, vec3(1.0));

    var coat_worth = 0.0;
    if b.coat_strength > 0.0 {
        coat_worth = max(coat_reflects + 0.1 * b.coat_strength, least_reflected * b.coat_strength) * b.below_fuzz;
    }
    let dielectric_worth = opaque_share * boundary * (dielectric_reflects + 0.1);
    let reflect_worth = (metal + dielectric_worth) * b.below_coat;
    let glass_worth = clear_share * b.below_coat;
    let diffuse_worth = largest(b.diffuse) * b.below_coat + largest(b.fuzz) * fuzz_reflects;
    let walk_worth = b.enters * largest(color) * b.below_coat;
    let total = coat_worth + reflect_worth + glass_worth + walk_worth + diffuse_worth;
    b.choice = vec4(0.0);
    if total > 0.0 {
        let scale = 1.0 / total;
        let first = coat_worth * scale;
        let second = first + reflect_worth * scale;
        let third = second + glass_worth * scale;
        b.choice = vec4(
            select(first, 1.0, reflect_worth + glass_worth + walk_worth + diffuse_worth <= 0.0),
            select(second, 1.0, glass_worth + walk_worth + diffuse_worth <= 0.0),
            select(third, 1.0, walk_worth + diffuse_worth <= 0.0),
            select(third + walk_worth * scale, 1.0, diffuse_worth <= 0.0),
        );
    }
    b.facet_normal = facing.facet_normal;
    b.base_alpha = alpha_of(roughness);
    b.coat_alpha = alpha_of(coat_roughness);
    b.clear = roughness < CLEAR_ROUGHNESS || b.unbent;
    b.glass = clear_share;
    if !b.clear && clear_share > 0.0 {
        b.glass = clear_share / glass_keeps(b.away.z, roughness, ior, facing.inside);
    }
    b.glass_tint = sqrt(color);
    b.eta = select(ior, 1.0 / ior, facing.inside);
    b.least_reflected = least_reflected;
    b.narrow = roughness < NARROW_ROUGHNESS;
    b.narrow_coat = coat_roughness < NARROW_ROUGHNESS;
    b.soft = any(facing.normal != facing.facet_normal);
    b.shows_others = (b.narrow && max(metal, clear_share) > 0.5) || (b.unbent && clear_share > 0.5);
    return b;
}

// Where light leaves a body that it went through.
fn bsdf_leaving(normal: vec3<f32>, facet_normal: vec3<f32>) -> Bsdf {
    var b: Bsdf;
    b.basis = basis_around(normal);
    b.facet_normal = facet_normal;
    b.away = vec3(0.0, 0.0, 1.0);
    b.base_alpha = 1.0;
    b.coat_alpha = 1.0;
    b.below_fuzz = 1.0;
    b.below_coat = 1.0;
    b.diffuse = vec3(1.0);
    b.eta = 1.0;
    b.soft = any(normal != facet_normal);
    return b;
}

fn translucent(b: Bsdf) -> bool {
    return b.glass > 0.0 && !b.clear;
}

// What glass reflects, and in w the cosine of the refracted ray.
fn glass_reflects(b: Bsdf, cosine: f32) -> vec4<f32> {
    let f = fresnel(cosine, b.eta);
    if b.film.thickness > 0.0 {
        return vec4(film_over_glass(b.film, cosine), f.y);
    }
    return vec4(f.xxx, f.y);
}

fn reflected_share(b: Bsdf, reflected: vec3<f32>) -> f32 {
    return min(max(luminance(reflected), b.least_reflected), 1.0);
}

// BSDF × cosine, and the density in w.
fn evaluate(b: Bsdf, toward: vec3<f32>) -> vec4<f32> {
    let local = to_local(b.basis, toward);
    if (local.z > 0.0) != (dot(toward, b.facet_normal) > 0.0) {
        return vec4(0.0);
    }
    let found = evaluate_local(b, local);
    return vec4(found.xyz * terminator(b, toward, local.z), found.w);
}

fn terminator(b: Bsdf, toward: vec3<f32>, cosine: f32) -> f32 {
    if !b.soft || cosine <= 0.0 {
        return 1.0;
    }
    let g = dot(toward, b.facet_normal) / (cosine * max(dot(b.basis.z, b.facet_normal), 1e-3));
    return select(max(g, 0.0) * (1.0 + g - g * g), 1.0, g >= 1.0);
}

fn evaluate_local(b: Bsdf, toward: vec3<f32>) -> vec4<f32> {
    let coat_share = b.choice.x;
    let reflect_share = b.choice.y - b.choice.x;
    let glass_share = b.choice.z - b.choice.y;
    let diffuse_share = 1.0 - b.choice.w;
    if toward.z <= 0.0 {
        if translucent(b) && toward.z < 0.0 {
            let found = evaluate_refraction(b, toward);
            return vec4(found.xyz, found.w * glass_share);
        }
        return vec4(0.0);
    }
    let half = normalize(b.away + toward);
    let cos_half = dot(b.away, half);
    var value = b.diffuse * (toward.z * INV_PI * b.below_coat);
    var density = diffuse_share * toward.z * INV_PI;
    let grazing = schlick(cos_half);
    let rough_glass = translucent(b);
    if !is_zero(b.fuzz) {
        value += b.fuzz * (sheen_lobe(b.sheen_roughness, b.away, toward) * b.sheen_limit);
    }
    if reflect_share > 0.0 || rough_glass {
        let facets = facet_density(b.base_alpha, half) / (4.0 * b.away.z);
        let lit = facets * seen_from_both(b.base_alpha, b.away, toward) * b.below_coat;
        let drawn = facets * seen(b.base_alpha, b.away);
        value += (b.reflect_normal * (1.0 - grazing) + b.reflect_grazing * grazing) * lit;
        if !is_zero(b.metal_below_film) {
            value += b.metal_below_film * film_over_metal(b.film, cos_half, b.metal_color) * lit;
        }
        density += reflect_share * drawn;
        if rough_glass {
            let reflected = glass_reflects(b, cos_half).xyz;
            value += reflected * (b.glass * lit);
            density += glass_share * reflected_share(b, reflected) * drawn;
        }
    }
    if coat_share > 0.0 {
        let facets = facet_density(b.coat_alpha, half) / (4.0 * b.away.z);
        let f0 = normal_reflectance(COAT_IOR);
        let reflected = b.coat_strength * (f0 + (1.0 - f0) * grazing);
        value += vec3(reflected * facets * seen_from_both(b.coat_alpha, b.away, toward) * b.below_fuzz);
        density += coat_share * facets * seen(b.coat_alpha, b.away);
    }
    return vec4(value, density);
}

fn evaluate_refraction(b: Bsdf, toward: vec3<f32>) -> vec4<f32> {
    var half = b.away + toward * b.eta;
    if half.z < 0.0 {
        half = -half;
    }
    if square(half) < 1e-12 {
        return vec4(0.0);
    }
    half = normalize(half);
    let away_half = dot(b.away, half);
    let toward_half = dot(toward, half);
    if away_half <= 0.0 || toward_half >= 0.0 {
        return vec4(0.0);
    }
    let reflected = glass_reflects(b, away_half).xyz;
    let root = away_half + b.eta * toward_half;
    let jacobian = b.eta * b.eta * -toward_half / max(root * root, 1e-12);
    let drawn = visible_density(b.base_alpha, b.away, half) * jacobian;
    let passed = seen_from_both(b.base_alpha, b.away, toward) / seen(b.base_alpha, b.away);
    let value = b.glass_tint * (vec3(1.0) - reflected) * (b.glass * b.below_coat * drawn * passed);
    return vec4(value, drawn * (1.0 - reflected_share(b, reflected)));
}

struct Scatter {
    direction: vec3<f32>,
    weight: vec3<f32>,
    density: f32,
    enters: bool,
    transmitted: bool,
    straight: bool,
    narrow: bool,
    // Whether there is one.
    goes_on: bool,
}

fn nowhere() -> Scatter {
    return Scatter(vec3(0.0), vec3(0.0), 0.0, false, false, false, false, false);
}

fn mirrored(away: vec3<f32>, half: vec3<f32>) -> vec3<f32> {
    return half * (2.0 * dot(away, half)) - away;
}

fn refracted(away: vec3<f32>, half: vec3<f32>, cosine: f32, cos_t: f32, eta: f32) -> vec3<f32> {
    return half * (cosine / eta - cos_t) - away * (1.0 / eta);
}

fn sample_bsdf(b: Bsdf, lobe: f32, u: vec2<f32>) -> Scatter {
    if b.choice.w <= 0.0 && is_zero(b.diffuse) && is_zero(b.fuzz) {
        return nowhere();
    }
    var narrow = b.narrow;
    var transmitted = false;
    var local: vec3<f32>;
    if lobe < b.choice.x {
        narrow = b.narrow_coat;
        local = mirrored(b.away, sample_facet(b.coat_alpha, b.away, u));
    } else if lobe < b.choice.y {
        local = mirrored(b.away, sample_facet(b.base_alpha, b.away, u));
    } else if lobe < b.choice.z {
        let rest = (lobe - b.choice.y) / (b.choice.z - b.choice.y);
        if b.clear {
            return sample_clear(b, rest);
        }
        let half = sample_facet(b.base_alpha, b.away, u);
        let cosine = dot(b.away, half);
        let f = glass_reflects(b, cosine);
        transmitted = rest >= reflected_share(b, f.xyz);
        if transmitted {
            local = refracted(b.away, half, cosine, f.w, b.eta);
        } else {
            local = mirrored(b.away, half);
        }
    } else {
        narrow = false;
        local = cosine_direction(u);
        if lobe < b.choice.w {
            return entering(b, -local);
        }
    }
    if (local.z < 0.0) != transmitted {
        return nowhere();
    }
    let direction = normalize(to_world(b.basis, local));
    let found = evaluate(b, direction);
    if !(found.w > 0.0 && found.w < 3e38) {
        return nowhere();
    }
    return Scatter(direction, found.xyz * (1.0 / found.w), found.w, false, transmitted, false, narrow, true);
}

fn cosine_direction(u: vec2<f32>) -> vec3<f32> {
    let phi = u.x * TAU;
    let r = sqrt(u.y);
    return vec3(r * cos(phi), r * sin(phi), sqrt(max(1.0 - u.y, 0.0)));
}

fn entering(b: Bsdf, local: vec3<f32>) -> Scatter {
    let direction = normalize(to_world(b.basis, local));
    let weight = vec3(b.enters * b.below_coat / (b.choice.w - b.choice.z));
    return Scatter(direction, weight, 0.0, true, false, false, false, dot(direction, b.facet_normal) < 0.0);
}

fn sample_clear(b: Bsdf, choice: f32) -> Scatter {
    let weight = b.glass * b.below_coat / (b.choice.z - b.choice.y);
    if b.unbent && b.film.thickness <= 0.0 {
        return crossing(b, -b.away, b.glass_tint * weight, true);
    }
    let f = glass_reflects(b, b.away.z);
    let normal = vec3(0.0, 0.0, 1.0);
    let share = reflected_share(b, f.xyz);
    if choice < share {
        return crossing(b, mirrored(b.away, normal), f.xyz * (weight / share), false);
    }
    let tint = b.glass_tint * (vec3(1.0) - f.xyz) * (weight / (1.0 - share));
    return crossing(b, refracted(b.away, normal, b.away.z, f.w, b.eta), tint, true);
}

fn crossing(b: Bsdf, local: vec3<f32>, weight: vec3<f32>, transmitted: bool) -> Scatter {
    let direction = normalize(to_world(b.basis, local));
    let goes_on = (dot(direction, b.facet_normal) < 0.0) == transmitted;
    return Scatter(direction, weight, 0.0, false, transmitted, b.unbent && transmitted, true, goes_on);
}
