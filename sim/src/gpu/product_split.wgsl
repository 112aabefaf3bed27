// The same products for adapters without 64-bit integers: four 16-bit multiplies, on magnitudes.

fn mul_shift(a: i32, b: i32, shift: u32) -> i32 {
    let x = u32(abs(a));
    let y = u32(abs(b));
    let low = (x & 0xffffu) * (y & 0xffffu);
    let cross_a = (x >> 16u) * (y & 0xffffu);
    let cross_b = (x & 0xffffu) * (y >> 16u);
    let middle = (low >> 16u) + (cross_a & 0xffffu) + (cross_b & 0xffffu);
    let bottom = (middle << 16u) | (low & 0xffffu);
    var top = (x >> 16u) * (y >> 16u) + (cross_a >> 16u) + (cross_b >> 16u) + (middle >> 16u);
    let rounded = bottom + (1u << (shift - 1u));
    if (rounded < bottom) {
        top += 1u;
    }
    let result = i32((top << (32u - shift)) | (rounded >> shift));
    return select(result, -result, (a ^ b) < 0);
}

fn mul30(a: i32, b: i32) -> i32 {
    return mul_shift(a, b, 30u);
}

fn mul24(a: i32, b: i32) -> i32 {
    return mul_shift(a, b, 24u);
}
