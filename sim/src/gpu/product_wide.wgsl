// Products rounded to nearest, ties away from zero, where the adapter has 64-bit integers.

fn mul30(a: i32, b: i32) -> i32 {
    return i32((i64(a) * i64(b) + 536870912li + i64((a ^ b) >> 31u)) >> 30u);
}

fn mul24(a: i32, b: i32) -> i32 {
    return i32((i64(a) * i64(b) + 8388608li + i64((a ^ b) >> 31u)) >> 24u);
}
