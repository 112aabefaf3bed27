//! What `std` asks the platform's maths library is answered by `libm`.
#![expect(clippy::disallowed_methods, reason = "a test of what is not to be called")]

use std::hint::black_box;

use seedstorm_sim::{Backend, Film, Recipe, simulate};

/// In each of these, some C library gives many other bits than `libm` does.
#[test]
fn the_platform_has_no_say() {
    // The replacements are in programs that hold a world.
    let recipe = Recipe::new("bloom@1", 1.into(), Film::DRAFT).expect("a recipe");
    assert!(simulate(&recipe, Backend::Cpu, &mut |_, _| false).is_err());
    for number in (1..1 << 20).map(|n| n as f32 / (1 << 20) as f32) {
        let x = black_box(number);
        let of_std = [x.acos(), x.asin(), x.atan(), x.atan2(0.5), x.cos(), x.exp(), x.exp2(), x.log2(), x.log10()];
        let of_libm = [
            libm::acosf(x),
            libm::asinf(x),
            libm::atanf(x),
            libm::atan2f(x, 0.5),
            libm::cosf(x),
            libm::expf(x),
            libm::exp2f(x),
            libm::log2f(x),
            libm::log10f(x),
        ];
        assert_eq!(of_std, of_libm, "{x}");
        let of_std = [x.ln(), x.powf(1.0 / 3.0), x.sin(), x.tan(), x.sin_cos().0, x.sin_cos().1];
        let of_libm =
            [libm::logf(x), libm::powf(x, 1.0 / 3.0), libm::sinf(x), libm::tanf(x), libm::sinf(x), libm::cosf(x)];
        assert_eq!(of_std, of_libm, "{x}");
    }
}
