//! How a surface scatters light: the whole of [`Material`], as one weighted set of lobes.
//!
//! From the top: fuzz, a clear coat (GGX, index 1.5), below it a metal (GGX), clear glass (GGX refraction, Walter et al.
//! 2007) or a diffuse body, which light may go through (`walk.rs`), under a dielectric surface (GGX); metal and glass
//! may wear a thin film. What a layer reflects, by its tabulated directional reflectance, is withheld from the layer below (albedo scaling, as in the Autodesk
//! Standard Surface), so that nothing is gained: coat and dielectric lose nothing, metal and rough glass are scaled up by
//! what their single scattering loses (Turquin 2019, "Practical multiple scattering compensation for microfacet models").

use seedstorm_sim::scene::Material;

use crate::microfacet::{Ggx, fresnel, glass_keeps, normal_reflectance, reflectance, schlick};
use crate::sheen::Sheen;
use crate::thin_film::ThinFilm;
use crate::vector::{Basis, Vec3, max, vec3};

/// Glass smoother than this (perceptual) is perfectly clear.
const CLEAR_ROUGHNESS: f32 = 0.04;
/// Lobes smoother than this (perceptual) are narrow: what is seen in them keeps its shape.
pub(crate) const NARROW_ROUGHNESS: f32 = 0.2;
/// The least perceptual roughness of what a path meets after a scattering that is not narrow.
pub(crate) const ROUGHNESS_FLOOR: f32 = 0.3;
/// Glass of a lower index bends and reflects nothing.
const UNBENT_IOR: f32 = 1.0005;
/// Index of the clear coat.
const COAT_IOR: f32 = 1.5;

/// Where a path goes on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scatter {
    pub(crate) direction: Vec3,
    /// BSDF × cosine / density.
    pub(crate) weight: Vec3,
    /// Density over solid angle; 0 for a perfectly clear lobe, which no light sample can find.
    pub(crate) density: f32,
    /// Whether the ray enters the body to go through it.
    pub(crate) enters: bool,
    /// Whether the ray crossed to the other side.
    pub(crate) transmitted: bool,
    /// Whether it did so without any bend, as if through a pane.
    pub(crate) straight: bool,
    /// Whether the lobe was narrow: a sharp reflection or clear glass.
    pub(crate) narrow: bool,
}

/// A material at one point, seen from one direction.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bsdf {
    basis: Basis,
    facet_normal: Vec3,
    /// Toward the viewer, local.
    out: Vec3,
    base: Ggx,
    coat: Ggx,
    /// The fuzz's colour, what it leaves to the coat, and its lobe.
    fuzz: Vec3,
    below_fuzz: f32,
    sheen: Sheen,
    /// Reflectance of the coat's lobe before Fresnel's increase, and what it and the fuzz leave to the base.
    coat_strength: f32,
    below_coat: f32,
    /// Sum of metal's and dielectric's F₀ and F₉₀, shares and compensation included; without the metal's under a film.
    reflect_normal: Vec3,
    reflect_grazing: Vec3,
    /// The film, and the metal below it: its colour, and its share and compensation.
    film: ThinFilm,
    metal_color: Vec3,
    metal_below_film: Vec3,
    /// Diffuse albedo, shares included.
    diffuse: Vec3,
    /// Share of light that goes through the body, below the coat.
    enters: f32,
    /// Share of glass, below the coat, scaled up by what its single scattering loses.
    glass: f32,
    glass_tint: Vec3,
    /// Index on the far side over that on the near side.
    eta: f32,
    least_reflected: f32,
    clear: bool,
    /// Whether glass this thin in index bends nothing at all.
    unbent: bool,
    /// Whether base and glass, and whether the coat, scatter narrowly.
    narrow: bool,
    narrow_coat: bool,
    /// Cumulative shares of samples: coat, base reflection, glass, through the body, diffuse and fuzz (the rest).
    choice: [f32; 4],
    /// Softening of the shadow terminator, where shading and facet normal differ.
    soft: bool,
    /// Share of light that is scattered in all, for the denoiser.
    pub(crate) albedo: Vec3,
    /// Whether a viewer sees other things in this surface rather than the surface: a mirror or clear glass.
    pub(crate) shows_others: bool,
}

/// What is hit.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Facing {
    /// Unit shading normal, on the viewer's side.
    pub(crate) normal: Vec3,
    /// Unit facet normal, on the viewer's side.
    pub(crate) facet_normal: Vec3,
    /// Unit, toward the viewer.
    pub(crate) out: Vec3,
    /// Whether the viewer is inside of the body.
    pub(crate) inside: bool,
}

/// How samples of a surface are spent.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Drawn {
    /// A floor (perceptual) under every lobe's roughness.
    pub(crate) least_roughness: f32,
    /// The least share of samples that glass and coat reflect: what they mirror may be far brighter than what is behind.
    pub(crate) least_reflected: f32,
    /// Whose light the path carries where colours part, from red at 0 to blue at 1.
    pub(crate) spectrum: f32,
}

/// What of each colour light at a place of the spectrum carries, for the mean over all of it to be 1.
pub(crate) fn spectral(place: f32) -> Vec3 {
    vec3(4.0 * max(1.0 - 2.0 * place, 0.0), 2.0 - 2.0 * (2.0 * place - 1.0).abs(), 4.0 * max(2.0 * place - 1.0, 0.0))
}

/// Share of light that the coat reflects.
#[inline]
fn coat_reflectance(cover: f32, roughness: f32, cos: f32) -> f32 {
    if cover <= 0.0 {
        return 0.0;
    }
    let [a, b] = reflectance(cos, roughness);
    cover * (normal_reflectance(COAT_IOR) * a + b)
}

/// Whether a material is a pane: coated or tinted, but so thin that light goes straight through.
pub(crate) fn is_pane(material: &Material) -> bool {
    material.transmission >= 1.0 && material.metallic <= 0.0 && material.ior <= UNBENT_IOR
}

/// What a path takes a liquid for once a scattering was not narrow: a body of this absorption and colour that bends
/// nothing, under a coat that mirrors about as much as water does. `None` where the liquid is not clear.
pub(crate) fn unbent_liquid(material: &Material) -> Option<Material> {
    let clear = material.transmission > 0.5 && material.roughness < CLEAR_ROUGHNESS && material.metallic <= 0.0;
    clear.then(|| Material {
        base_color: material.base_color,
        transmission: 1.0,
        ior: 1.0,
        roughness: 0.0,
        coat: (normal_reflectance(material.ior) / normal_reflectance(COAT_IOR)).min(1.0),
        coat_roughness: ROUGHNESS_FLOOR,
        absorption: material.absorption,
        ..Material::default()
    })
}

/// Share of light that goes straight through a pane's surface; the expectation of what [`Bsdf::sample`] lets through.
#[inline]
pub(crate) fn through_pane(material: &Material, tint: Vec3, cos: f32, inside: bool) -> Vec3 {
    let color = (Vec3::from(material.base_color) * tint).max(Vec3::ZERO).min(Vec3::ONE);
    let cover = if inside { 0.0 } else { material.coat };
    let film = film_of(material, 1.0, inside);
    let reflected = if film.is_there() { film.over_glass(max(cos, 1e-3)) } else { Vec3::ZERO };
    let below_coat = 1.0 - coat_reflectance(cover, material.coat_roughness, max(cos, 1e-3));
    color.sqrt() * (Vec3::ONE - reflected) * below_coat
}

/// A material's film, for an index of its body.
fn film_of(material: &Material, ior: f32, inside: bool) -> ThinFilm {
    let (near, far) = if inside { (ior, 1.0) } else { (1.0, ior) };
    ThinFilm { thickness: material.film, ior: material.film_ior, near, far }
}

impl Bsdf {
    /// `tint` multiplies the base colour; `drawn` says how samples are spent.
    #[inline(always)]
    pub(crate) fn new(material: &Material, tint: Vec3, facing: Facing, drawn: Drawn) -> Self {
        let least_roughness = drawn.least_roughness;
        let color = (Vec3::from(material.base_color) * tint).max(Vec3::ZERO).min(Vec3::ONE);
        // A shading normal that looks away from the viewer is bent back to just face it.
        let mut normal = facing.normal;
        let facing_cos = normal.dot(facing.out);
        if facing_cos < 0.02 {
            normal = (normal + facing.out * (0.02 - facing_cos)).normalized();
        }
        let basis = Basis::around(normal);
        let out = basis.to_local(facing.out);
        let out = vec3(out.x, out.y, max(out.z, 1e-3));
        let roughness = max(material.roughness, least_roughness).clamp(0.0, 1.0);
        let metal = material.metallic.clamp(0.0, 1.0);
        let clear_share = (1.0 - metal) * material.transmission.clamp(0.0, 1.0);
        let opaque_share = (1.0 - metal) * (1.0 - material.transmission.clamp(0.0, 1.0));

        let fuzz = if facing.inside { Vec3::ZERO } else { Vec3::from(material.sheen) };
        let sheen = if fuzz == Vec3::ZERO {
            Sheen::NONE
        } else {
            Sheen::new(max(material.sheen_roughness, least_roughness), out.z)
        };
        let below_fuzz = 1.0 - fuzz.max_component() * sheen.reflected;

        let coat_cover = if facing.inside { 0.0 } else { material.coat.clamp(0.0, 1.0) };
        let coat_roughness = max(material.coat_roughness, least_roughness).clamp(0.0, 1.0);
        let coat_reflects = coat_reflectance(coat_cover, coat_roughness, out.z);
        let below_coat = (1.0 - coat_reflects) * below_fuzz;

        // An index of 1 is no boundary at all, whatever the angle.
        let unbent = material.ior <= UNBENT_IOR;
        let boundary = if unbent { 0.0 } else { 1.0 };
        // What is not there takes no time: of a matte body, nothing of what follows is left but its colour.
        let mirrors = metal > 0.0 || opaque_share * boundary > 0.0;
        let [a, b] = if mirrors { reflectance(out.z, roughness) } else { [0.0; 2] };
        let single = a + b;
        let compensation = if metal > 0.0 { Vec3::ONE + color * ((1.0 - single) / single) } else { Vec3::ONE };
        let dielectric = if mirrors { normal_reflectance(material.ior) } else { 0.0 };
        let dielectric_reflects = dielectric * a + b;
        let ior = if unbent { 1.0 } else { max(material.ior + material.dispersion * (drawn.spectrum - 0.5), 1.0) };
        let film = film_of(material, ior, facing.inside);
        let plain_metal = if film.is_there() { 0.0 } else { metal };
        let reflect_normal = color * compensation * plain_metal + Vec3::splat(opaque_share * boundary * dielectric);
        let reflect_grazing = compensation * plain_metal + Vec3::splat(opaque_share * boundary);
        let metal_below_film = compensation * (metal - plain_metal);
        let body = opaque_share * (1.0 - boundary * dielectric_reflects);
        let enters = if facing.inside { 0.0 } else { body * material.subsurface.clamp(0.0, 1.0) };
        let diffuse = color * (body - enters);

        let mut reflected = reflect_normal * a + reflect_grazing * b;
        if plain_metal < metal {
            reflected += metal_below_film * film.over_metal(out.z, color) * single;
        }
        let above = Vec3::splat(coat_reflects * below_fuzz) + fuzz * sheen.reflected;
        let albedo = (reflected + color * (body + clear_share)) * below_coat + above;

        // A mirror image of a bright light is worth more samples than its share of the reflectance.
        let coat_worth = if coat_cover > 0.0 {
            max(coat_reflects + 0.1 * coat_cover, drawn.least_reflected * coat_cover) * below_fuzz
        } else {
            0.0
        };
        let dielectric_worth = opaque_share * boundary * (dielectric_reflects + 0.1);
        let reflect_worth = (metal + dielectric_worth) * below_coat;
        let glass_worth = clear_share * below_coat;
        let diffuse_worth = diffuse.max_component() * below_coat + fuzz.max_component() * sheen.reflected;
        let walk_worth = enters * color.max_component() * below_coat;
        let worths = [coat_worth, reflect_worth, glass_worth, walk_worth, diffuse_worth];
        let mut choice = [0.0; 4];
        let matte = worths[..4].iter().all(|worth| *worth <= 0.0);
        if !matte {
            let total: f32 = worths.iter().sum();
            let mut end = 0.0;
            for (lobe, choice) in choice.iter_mut().enumerate() {
                end += worths[lobe] / max(total, 1e-30);
                // Whatever rounding leaves over must not fall to a lobe of no weight.
                *choice = if total > 0.0 && worths[lobe + 1..].iter().all(|worth| *worth <= 0.0) { 1.0 } else { end };
            }
        }
        let clear = roughness < CLEAR_ROUGHNESS || unbent;
        let kept = if clear || clear_share <= 0.0 { 1.0 } else { glass_keeps(out.z, roughness, ior, facing.inside) };
        Self {
            basis,
            facet_normal: facing.facet_normal,
            out,
            base: Ggx::new(roughness * roughness),
            coat: Ggx::new(coat_roughness * coat_roughness),
            fuzz,
            below_fuzz,
            sheen,
            coat_strength: coat_cover,
            below_coat,
            reflect_normal,
            reflect_grazing,
            film,
            metal_color: color,
            metal_below_film,
            diffuse,
            enters,
            glass: clear_share / kept,
            // Light that crosses a body crosses two boundaries.
            glass_tint: if clear_share > 0.0 { color.sqrt() } else { Vec3::ONE },
            eta: if facing.inside { 1.0 / ior } else { ior },
            least_reflected: drawn.least_reflected,
            clear,
            unbent,
            narrow: roughness < NARROW_ROUGHNESS,
            narrow_coat: coat_roughness < NARROW_ROUGHNESS,
            choice,
            soft: facing.normal != facing.facet_normal,
            albedo: albedo.min(Vec3::ONE),
            shows_others: (roughness < NARROW_ROUGHNESS && max(metal, clear_share) > 0.5)
                || (unbent && clear_share > 0.5),
        }
    }

    /// Where light leaves a body that it went through: evenly, whatever it came from.
    pub(crate) fn leaving(normal: Vec3, facet_normal: Vec3) -> Self {
        let white = Material { base_color: [1.0; 3], ior: 1.0, roughness: 1.0, ..Material::default() };
        let facing = Facing { normal, facet_normal, out: normal, inside: false };
        Self::new(&white, Vec3::ONE, facing, Drawn::default())
    }

    /// The shading normal that scattering is measured from.
    #[inline]
    pub(crate) fn normal(&self) -> Vec3 {
        self.basis.z
    }

    /// Whether a sample of a light can find anything: every lobe but a perfectly clear one.
    #[inline]
    pub(crate) fn sees_lights(&self) -> bool {
        !self.clear || self.glass < 1.0 || self.coat_strength > 0.0 || self.fuzz != Vec3::ZERO
    }

    /// Whether light can arrive from the far side.
    #[inline]
    pub(crate) fn translucent(&self) -> bool {
        self.glass > 0.0 && !self.clear
    }

    /// The share of light that glass reflects at a facet seen at this cosine, and the cosine of the refracted ray.
    #[inline]
    fn glass_reflects(&self, cos: f32) -> (Vec3, f32) {
        let (reflected, cos_t) = fresnel(cos, self.eta);
        if self.film.is_there() { (self.film.over_glass(cos), cos_t) } else { (Vec3::splat(reflected), cos_t) }
    }

    /// The share of glass samples that are reflected where this share of light is.
    #[inline]
    fn reflected_share(&self, reflected: Vec3) -> f32 {
        max(reflected.luminance(), self.least_reflected).min(1.0)
    }

    /// Share of samples that goes to each lobe.
    #[inline]
    fn shares(&self) -> [f32; 4] {
        let [a, b, c, d] = self.choice;
        [a, b - a, c - b, 1.0 - d]
    }

    /// BSDF × cosine toward the unit world direction `toward`, and the density with which [`Bsdf::sample`] draws it;
    /// perfectly clear lobes apart.
    #[inline(always)]
    pub(crate) fn evaluate(&self, toward: Vec3) -> (Vec3, f32) {
        let local = self.basis.to_local(toward);
        // Light through the back of the facet, or of the shading normal only, is a leak.
        if (local.z > 0.0) != (toward.dot(self.facet_normal) > 0.0) {
            return (Vec3::ZERO, 0.0);
        }
        let (value, density) = self.evaluate_local(local);
        (value * self.terminator(toward, local.z), density)
    }

    /// Fades light out toward the facet's horizon where the shading normal still sees it (Chiang, Li and Burley 2019,
    /// "Taming the Shadow Terminator").
    #[inline]
    fn terminator(&self, toward: Vec3, cos: f32) -> f32 {
        if !self.soft || cos <= 0.0 {
            return 1.0;
        }
        let g = toward.dot(self.facet_normal) / (cos * max(self.basis.z.dot(self.facet_normal), 1e-3));
        if g >= 1.0 { 1.0 } else { max(g, 0.0) * (1.0 + g - g * g) }
    }

    #[inline(always)]
    fn evaluate_local(&self, toward: Vec3) -> (Vec3, f32) {
        let [coat_share, reflect_share, glass_share, diffuse_share] = self.shares();
        let out = self.out;
        if toward.z <= 0.0 {
            return if self.translucent() && toward.z < 0.0 {
                let (value, density) = self.evaluate_refraction(toward);
                (value, density * glass_share)
            } else {
                (Vec3::ZERO, 0.0)
            };
        }
        let mut value = self.diffuse * (toward.z * std::f32::consts::FRAC_1_PI * self.below_coat);
        let mut density = diffuse_share * toward.z * std::f32::consts::FRAC_1_PI;
        let rough_glass = self.translucent();
        if self.fuzz != Vec3::ZERO {
            value += self.fuzz * self.sheen.evaluate(out, toward);
        }
        if reflect_share <= 0.0 && coat_share <= 0.0 && !rough_glass {
            return (value, density);
        }
        let half = (out + toward).normalized();
        let cos_half = out.dot(half);
        let grazing = schlick(cos_half);
        if reflect_share > 0.0 || rough_glass {
            let facets = self.base.density(half) / (4.0 * out.z);
            let lit = facets * self.base.seen_from_both(out, toward) * self.below_coat;
            let drawn = facets * self.base.seen(out);
            value += (self.reflect_normal * (1.0 - grazing) + self.reflect_grazing * grazing) * lit;
            if self.metal_below_film != Vec3::ZERO {
                value += self.metal_below_film * self.film.over_metal(cos_half, self.metal_color) * lit;
            }
            density += reflect_share * drawn;
            if rough_glass {
                let (reflected, _) = self.glass_reflects(cos_half);
                value += reflected * (self.glass * lit);
                density += glass_share * self.reflected_share(reflected) * drawn;
            }
        }
        if coat_share > 0.0 {
            let facets = self.coat.density(half) / (4.0 * out.z);
            let f0 = normal_reflectance(COAT_IOR);
            let reflected = self.coat_strength * (f0 + (1.0 - f0) * grazing);
            value += Vec3::splat(reflected * facets * self.coat.seen_from_both(out, toward) * self.below_fuzz);
            density += coat_share * facets * self.coat.seen(out);
        }
        (value, density)
    }

    /// Walter et al. 2007, equation 21, times the cosine; radiance is not scaled by the square of the index, since
    /// every ray ends in air.
    fn evaluate_refraction(&self, toward: Vec3) -> (Vec3, f32) {
        let out = self.out;
        let mut half = out + toward * self.eta;
        if half.z < 0.0 {
            half = -half;
        }
        if half.length_squared() < 1e-12 {
            return (Vec3::ZERO, 0.0);
        }
        let half = half.normalized();
        let (out_half, toward_half) = (out.dot(half), toward.dot(half));
        if out_half <= 0.0 || toward_half >= 0.0 {
            return (Vec3::ZERO, 0.0);
        }
        let (reflected, _) = self.glass_reflects(out_half);
        let root = out_half + self.eta * toward_half;
        // dω_half / dω_toward
        let jacobian = self.eta * self.eta * -toward_half / max(root * root, 1e-12);
        let drawn = self.base.visible_density(out, half) * jacobian;
        let passed = self.base.seen_from_both(out, toward) / self.base.seen(out);
        let value = self.glass_tint * (Vec3::ONE - reflected) * (self.glass * self.below_coat * drawn * passed);
        (value, drawn * (1.0 - self.reflected_share(reflected)))
    }

    /// Draws a direction; `None` where the path ends.
    /// `lobe` is asked for the number that chooses the lobe where there are several.
    #[inline(always)]
    pub(crate) fn sample(&self, lobe: impl FnOnce() -> f32, u: [f32; 2]) -> Option<Scatter> {
        let [coat_end, reflect_end, glass_end, walk_end] = self.choice;
        if walk_end <= 0.0 && self.diffuse == Vec3::ZERO && self.fuzz == Vec3::ZERO {
            return None;
        }
        let out = self.out;
        let lobe = if walk_end > 0.0 { lobe() } else { 1.0 };
        let (mut narrow, mut transmitted) = (self.narrow, false);
        let local = if lobe < coat_end {
            narrow = self.narrow_coat;
            mirror(out, self.coat.sample(out, u))
        } else if lobe < reflect_end {
            mirror(out, self.base.sample(out, u))
        } else if lobe < glass_end {
            // What is left of the number that chose the lobe chooses between reflection and refraction.
            let rest = (lobe - reflect_end) / (glass_end - reflect_end);
            if self.clear {
                return self.sample_clear(rest);
            }
            let half = self.base.sample(out, u);
            let cos = out.dot(half);
            let (reflected, cos_t) = self.glass_reflects(cos);
            transmitted = rest >= self.reflected_share(reflected);
            if transmitted { refract(out, half, cos, cos_t, self.eta) } else { mirror(out, half) }
        } else {
            narrow = false;
            let (sin, cos) = libm::sincosf(u[0] * std::f32::consts::TAU);
            let r = u[1].sqrt();
            let even = vec3(r * cos, r * sin, max(1.0 - u[1], 0.0).sqrt());
            if lobe < walk_end {
                return self.enter(-even);
            }
            even
        };
        // What a facet mirrors into the surface, or refracts out of it, the density knows nothing of.
        if (local.z < 0.0) != transmitted {
            return None;
        }
        let direction = self.basis.to_world(local).normalized();
        let (value, density) = self.evaluate(direction);
        if density <= 0.0 || !density.is_finite() {
            return None;
        }
        let weight = value * (1.0 / density);
        Some(Scatter { direction, weight, density, enters: false, transmitted, straight: false, narrow })
    }

    /// Into the body, to go through it.
    fn enter(&self, local: Vec3) -> Option<Scatter> {
        let direction = self.basis.to_world(local).normalized();
        let weight = Vec3::splat(self.enters * self.below_coat / (self.choice[3] - self.choice[2]));
        (direction.dot(self.facet_normal) < 0.0).then_some(Scatter {
            direction,
            weight,
            density: 0.0,
            enters: true,
            transmitted: false,
            straight: false,
            narrow: false,
        })
    }

    /// Reflection or refraction in perfectly clear glass.
    fn sample_clear(&self, choice: f32) -> Option<Scatter> {
        let share = self.choice[2] - self.choice[1];
        let out = self.out;
        let weight = self.glass * self.below_coat / share;
        if self.unbent && !self.film.is_there() {
            return self.cross(-out, self.glass_tint * weight, true);
        }
        let (reflected, cos_t) = self.glass_reflects(out.z);
        let normal = vec3(0.0, 0.0, 1.0);
        let share = self.reflected_share(reflected);
        if choice < share {
            self.cross(mirror(out, normal), reflected * (weight / share), false)
        } else {
            let tint = self.glass_tint * (Vec3::ONE - reflected);
            self.cross(refract(out, normal, out.z, cos_t, self.eta), tint * (weight / (1.0 - share)), true)
        }
    }

    fn cross(&self, local: Vec3, weight: Vec3, transmitted: bool) -> Option<Scatter> {
        let direction = self.basis.to_world(local).normalized();
        ((direction.dot(self.facet_normal) < 0.0) == transmitted).then_some(Scatter {
            direction,
            weight,
            density: 0.0,
            enters: false,
            transmitted,
            straight: self.unbent && transmitted,
            narrow: true,
        })
    }
}

#[inline]
fn mirror(out: Vec3, half: Vec3) -> Vec3 {
    half * (2.0 * out.dot(half)) - out
}

#[inline]
fn refract(out: Vec3, half: Vec3, cos: f32, cos_t: f32, eta: f32) -> Vec3 {
    half * (cos / eta - cos_t) - out * (1.0 / eta)
}
