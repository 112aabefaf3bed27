//! A wide soft blur.

use rayon::prelude::*;

/// `picture` blurred by nearly a Gaussian of standard deviation `sigma` pixels: three boxes, one after the other, along
/// each axis. Beyond its edges the picture is black.
pub(crate) fn blur(picture: &[[f32; 3]], width: usize, height: usize, sigma: f32) -> Vec<[f32; 3]> {
    // Three boxes of half width h have a variance of h² + h.
    let half = ((sigma * sigma + 0.25).sqrt() - 0.5).round() as usize;
    if half == 0 {
        return picture.to_vec();
    }
    let rows = along_rows(picture, width, height, half);
    let columns = along_rows(&transposed(&rows, width, height), height, width, half);
    transposed(&columns, height, width)
}

fn along_rows(picture: &[[f32; 3]], width: usize, height: usize, half: usize) -> Vec<[f32; 3]> {
    let mut out = vec![[0.0; 3]; width * height];
    out.par_chunks_mut(width).zip(picture.par_chunks(width)).for_each(|(out, row)| {
        // Boxes reach beyond the edges, so that light that comes back from there is not lost in between.
        let margin = 3 * half;
        let mut line = vec![[0.0_f64; 3]; width + 2 * margin];
        let mut boxed = line.clone();
        for (to, pixel) in line[margin..].iter_mut().zip(row) {
            *to = pixel.map(f64::from);
        }
        let share = 1.0 / (2 * half + 1) as f64;
        for _ in 0..3 {
            let mut sum = [0.0; 3];
            for at in 0..line.len() + half {
                for channel in 0..3 {
                    sum[channel] += line.get(at).map_or(0.0, |pixel| pixel[channel]);
                    if at > 2 * half {
                        sum[channel] -= line[at - 2 * half - 1][channel];
                    }
                }
                if at >= half {
                    boxed[at - half] = sum.map(|c| c * share);
                }
            }
            std::mem::swap(&mut line, &mut boxed);
        }
        for (to, pixel) in out.iter_mut().zip(&line[margin..]) {
            // A running sum may end a rounding below zero.
            *to = pixel.map(|c| c.max(0.0) as f32);
        }
    });
    out
}

fn transposed(picture: &[[f32; 3]], width: usize, height: usize) -> Vec<[f32; 3]> {
    (0..width).flat_map(|x| (0..height).map(move |y| picture[y * width + x])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_point_spreads_as_wide_as_asked_and_loses_nothing() {
        let (width, height) = (121, 101);
        let mut picture = vec![[0.0; 3]; width * height];
        picture[50 * width + 60] = [8.0, 0.0, 1.0];
        for sigma in [2.0_f32, 5.0, 9.0] {
            let blurred = blur(&picture, width, height, sigma);
            let (mut sum, mut variance) = (0.0, 0.0);
            for (at, pixel) in blurred.iter().enumerate() {
                let x = (at % width) as f64 - 60.0;
                sum += f64::from(pixel[0]);
                variance += f64::from(pixel[0]) * x * x;
                assert!(pixel[1] == 0.0 && pixel[2] >= 0.0);
            }
            assert!((sum - 8.0).abs() < 1e-4, "{sum}");
            let found = (variance / sum).sqrt();
            // Boxes are of whole widths.
            assert!((found - f64::from(sigma)).abs() < 0.5, "{found} for {sigma}");
        }
    }
}
