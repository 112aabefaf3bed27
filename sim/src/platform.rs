//! The functions of the platform's maths library, replaced by those of `libm` in every program that holds a world.
//!
//! rapier, parry and glamx call `std`'s float methods in a few places, also with `enhanced-determinism`: the arc cosine and
//! cosine of an inertia's principal axes (glamx, `SymmetricEigen3`), the sine and cosine of a joint's limits, the
//! logarithm with which a BVH is refined. `std` passes these on to whatever C library is there, and one in forty of
//! glibc 2.36's arc cosines differs from what the next one gives. A program's own definition of a C name comes before
//! that of a shared library, and before the weak ones that Rust brings for wasm32; `tests/platform.rs` sees that it does.
#![expect(unsafe_code, reason = "C names have to be exported, and one of these functions returns through pointers")]

macro_rules! replace {
    ($($name:ident($($argument:ident),+);)+) => {$(
        #[unsafe(no_mangle)]
        extern "C" fn $name($($argument: f32),+) -> f32 {
            libm::$name($($argument),+)
        }
    )+};
}

replace! {
    acosf(x);
    asinf(x);
    atanf(x);
    atan2f(y, x);
    cosf(x);
    expf(x);
    exp2f(x);
    log2f(x);
    log10f(x);
    logf(x);
    powf(x, y);
    sinf(x);
    tanf(x);
}

/// Both at once, into which compilers turn a sine and a cosine of one angle.
///
/// # Safety
/// As in C: two places that can be written to.
#[unsafe(no_mangle)]
unsafe extern "C" fn sincosf(x: f32, sine: *mut f32, cosine: *mut f32) {
    // SAFETY: the caller's promise.
    unsafe { (*sine, *cosine) = (libm::sinf(x), libm::cosf(x)) }
}
