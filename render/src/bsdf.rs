//! How a surface scatters light: the whole of [`Material`], as one weighted set of lobes.
//!
//! From the top: a clear coat (GGX, index 1.5), below it a metal (GGX), clear glass (GGX refraction, Walter et al. 2007)
//! or a diffuse body under a dielectric surface (GGX). What a layer reflects, by its tabulated directional reflectance,
//! is withheld from the layer below (albedo scaling, as in the Autodesk Standard Surface), so that nothing is gained:
//! coat and dielectric lose nothing, a metal is scaled up by what its single scattering loses (Turquin 2019, "Practical
//! multiple scattering compensation for microfacet models"). Rough glass keeps its single-scattering loss.

use seedstorm_sim::scene::Material;

use crate::microfacet::{Ggx, fresnel, normal_reflectance, reflectance, schlick};
use crate::vector::{Basis, Vec3, max, vec3};

/// Glass smoother than this (perceptual) is perfectly clear.
const CLEAR_ROUGHNESS: f32 = 0.04;
/// Lobes smoother than this (perceptual) are narrow: what is seen in them keeps its shape.
pub(crate) const NARROW_ROUGHNESS: f32 = 0.2;
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
    /// Reflectance of the coat's lobe before Fresnel's increase, and what it leaves to the base.
    coat_strength: f32,
    below_coat: f32,
    /// Sum of metal's and dielectric's F₀ and F₉₀, shares and compensation included.
    reflect_normal: Vec3,
    reflect_grazing: Vec3,
    /// Diffuse albedo, shares included.
    diffuse: Vec3,
    /// Share of glass, below the coat.
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
    /// Cumulative shares of samples: coat, base reflection, glass, diffuse (the rest).
    choice: [f32; 3],
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

/// Share of light that goes straight through a pane's surface; the expectation of what [`Bsdf::sample`] lets through.
#[inline]
pub(crate) fn through_pane(material: &Material, tint: Vec3, cos: f32, inside: bool) -> Vec3 {
    let color = (Vec3::from(material.base_color) * tint).max(Vec3::ZERO).min(Vec3::ONE);
    let cover = if inside { 0.0 } else { material.coat };
    color.sqrt() * (1.0 - coat_reflectance(cover, material.coat_roughness, max(cos, 1e-3)))
}

impl Bsdf {
    /// `tint` multiplies the base colour; `drawn` says how samples are spent.
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

        let coat_cover = if facing.inside { 0.0 } else { material.coat.clamp(0.0, 1.0) };
        let coat_roughness = max(material.coat_roughness, least_roughness).clamp(0.0, 1.0);
        let coat_reflects = coat_reflectance(coat_cover, coat_roughness, out.z);
        let below_coat = 1.0 - coat_reflects;

        let [a, b] = reflectance(out.z, roughness);
        let single = a + b;
        let compensation = Vec3::ONE + color * ((1.0 - single) / single);
        let dielectric = normal_reflectance(material.ior);
        let dielectric_reflects = dielectric * a + b;
        // An index of 1 is no boundary at all, whatever the angle.
        let unbent = material.ior <= UNBENT_IOR;
        let boundary = if unbent { 0.0 } else { 1.0 };
        let reflect_normal = color * compensation * metal + Vec3::splat(opaque_share * boundary * dielectric);
        let reflect_grazing = compensation * metal + Vec3::splat(opaque_share * boundary);
        let diffuse = color * (opaque_share * (1.0 - boundary * dielectric_reflects));

        let reflected = (reflect_normal * a + reflect_grazing * b) * below_coat;
        let albedo = reflected + (diffuse + color * clear_share) * below_coat + Vec3::splat(coat_reflects);

        // A mirror image of a bright light is worth more samples than its share of the reflectance.
        let coat_worth = if coat_cover > 0.0 {
            max(coat_reflects + 0.1 * coat_cover, drawn.least_reflected * coat_cover)
        } else {
            0.0
        };
        let dielectric_worth = opaque_share * boundary * (dielectric_reflects + 0.1);
        let reflect_worth = (metal + dielectric_worth) * below_coat;
        let glass_worth = clear_share * below_coat;
        let diffuse_worth = diffuse.max_component() * below_coat;
        let total = coat_worth + reflect_worth + glass_worth + diffuse_worth;
        let choice = if total > 0.0 {
            let scale = 1.0 / total;
            let first = coat_worth * scale;
            let second = first + reflect_worth * scale;
            let third = if diffuse_worth > 0.0 { second + glass_worth * scale } else { 1.0 };
            // Whatever rounding leaves over must not fall to a lobe of no weight.
            let second = if diffuse_worth > 0.0 || glass_worth > 0.0 { second } else { 1.0 };
            let first = if coat_worth < total { first } else { 1.0 };
            [first, second, third]
        } else {
            [0.0, 0.0, 0.0]
        };
        Self {
            basis,
            facet_normal: facing.facet_normal,
            out,
            base: Ggx::new(roughness * roughness),
            coat: Ggx::new(coat_roughness * coat_roughness),
            coat_strength: coat_cover,
            below_coat,
            reflect_normal,
            reflect_grazing,
            diffuse,
            glass: clear_share,
            // Light that crosses a body crosses two boundaries.
            glass_tint: color.sqrt(),
            eta: if facing.inside { 1.0 / material.ior } else { material.ior },
            least_reflected: drawn.least_reflected,
            clear: roughness < CLEAR_ROUGHNESS || unbent,
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

    /// The shading normal that scattering is measured from.
    #[inline]
    pub(crate) fn normal(&self) -> Vec3 {
        self.basis.z
    }

    /// Whether a sample of a light can find anything: every lobe but a perfectly clear one.
    #[inline]
    pub(crate) fn sees_lights(&self) -> bool {
        !self.clear || self.glass < 1.0 || self.coat_strength > 0.0
    }

    /// Whether light can arrive from the far side.
    #[inline]
    pub(crate) fn translucent(&self) -> bool {
        self.glass > 0.0 && !self.clear
    }

    /// The share of glass samples that are reflected where this share of light is.
    #[inline]
    fn reflected_share(&self, reflected: f32) -> f32 {
        max(reflected, self.least_reflected)
    }

    /// Share of samples that goes to each lobe.
    #[inline]
    fn shares(&self) -> [f32; 4] {
        let [a, b, c] = self.choice;
        [a, b - a, c - b, 1.0 - c]
    }

    /// BSDF × cosine toward the unit world direction `toward`, and the density with which [`Bsdf::sample`] draws it;
    /// perfectly clear lobes apart.
    #[inline]
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
        let half = (out + toward).normalized();
        let cos_half = out.dot(half);
        let mut value = self.diffuse * (toward.z * std::f32::consts::FRAC_1_PI * self.below_coat);
        let mut density = diffuse_share * toward.z * std::f32::consts::FRAC_1_PI;
        let grazing = schlick(cos_half);
        let rough_glass = self.translucent();
        if reflect_share > 0.0 || rough_glass {
            let facets = self.base.density(half) / (4.0 * out.z);
            let lit = facets * self.base.seen_from_both(out, toward) * self.below_coat;
            let drawn = facets * self.base.seen(out);
            value += (self.reflect_normal * (1.0 - grazing) + self.reflect_grazing * grazing) * lit;
            density += reflect_share * drawn;
            if rough_glass {
                let (reflected, _) = fresnel(cos_half, self.eta);
                value += Vec3::splat(self.glass * reflected * lit);
                density += glass_share * self.reflected_share(reflected) * drawn;
            }
        }
        if coat_share > 0.0 {
            let facets = self.coat.density(half) / (4.0 * out.z);
            let f0 = normal_reflectance(COAT_IOR);
            let reflected = self.coat_strength * (f0 + (1.0 - f0) * grazing);
            value += Vec3::splat(reflected * facets * self.coat.seen_from_both(out, toward));
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
        let (reflected, _) = fresnel(out_half, self.eta);
        let root = out_half + self.eta * toward_half;
        // dω_half / dω_toward
        let jacobian = self.eta * self.eta * -toward_half / max(root * root, 1e-12);
        let drawn = self.base.visible_density(out, half) * jacobian;
        let passed = self.base.seen_from_both(out, toward) / self.base.seen(out) * (1.0 - reflected);
        let value = self.glass_tint * (self.glass * self.below_coat * drawn * passed);
        (value, drawn * (1.0 - self.reflected_share(reflected)))
    }

    /// Draws a direction; `None` where the path ends.
    pub(crate) fn sample(&self, lobe: f32, u: [f32; 2]) -> Option<Scatter> {
        let [coat_end, reflect_end, glass_end] = self.choice;
        if glass_end <= 0.0 && self.diffuse == Vec3::ZERO {
            return None;
        }
        let out = self.out;
        let mut narrow = self.narrow;
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
            let (reflected, cos_t) = fresnel(cos, self.eta);
            if rest < self.reflected_share(reflected) {
                mirror(out, half)
            } else {
                refract(out, half, cos, cos_t, self.eta)
            }
        } else {
            narrow = false;
            let (sin, cos) = libm::sincosf(u[0] * std::f32::consts::TAU);
            let r = u[1].sqrt();
            vec3(r * cos, r * sin, max(1.0 - u[1], 0.0).sqrt())
        };
        let direction = self.basis.to_world(local).normalized();
        let (value, density) = self.evaluate(direction);
        if density <= 0.0 || !density.is_finite() {
            return None;
        }
        let weight = value * (1.0 / density);
        Some(Scatter { direction, weight, density, transmitted: local.z < 0.0, straight: false, narrow })
    }

    /// Reflection or refraction in perfectly clear glass.
    fn sample_clear(&self, choice: f32) -> Option<Scatter> {
        let share = self.choice[2] - self.choice[1];
        let out = self.out;
        let weight = self.glass * self.below_coat / share;
        if self.unbent {
            return self.cross(-out, self.glass_tint * weight, true);
        }
        let (reflected, cos_t) = fresnel(out.z, self.eta);
        let normal = vec3(0.0, 0.0, 1.0);
        let share = self.reflected_share(reflected);
        if choice < share {
            self.cross(mirror(out, normal), Vec3::splat(weight * reflected / share), false)
        } else {
            let weight = weight * (1.0 - reflected) / (1.0 - share);
            self.cross(refract(out, normal, out.z, cos_t, self.eta), self.glass_tint * weight, true)
        }
    }

    fn cross(&self, local: Vec3, weight: Vec3, transmitted: bool) -> Option<Scatter> {
        let direction = self.basis.to_world(local).normalized();
        ((direction.dot(self.facet_normal) < 0.0) == transmitted).then_some(Scatter {
            direction,
            weight,
            density: 0.0,
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
