//! Mirroring, moving and enlarging images, `[height × width × channels]`.

use super::ImageShape;

/// The widest and the narrowest section, as width to height in parts of the image's own.
const ASPECT: (f64, f64) = (3.0 / 4.0, 4.0 / 3.0);

/// A section of an image, in pixels that may be divided.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Window {
    pub top: f64,
    pub left: f64,
    pub height: f64,
    pub width: f64,
}

impl Window {
    /// A section with a part of the area uniform between `least` and 1, an aspect log-uniform between
    /// 3/4 and 4/3 as far as it fits, and a uniform place, from four uniform numbers.
    ///
    /// Source: Szegedy et al., "Going deeper with convolutions", CVPR 2015, section 6; there, sections
    /// that do not fit are drawn again, here the aspect is drawn from those that do.
    pub fn random(shape: ImageShape, least: f64, [area, aspect, top, left]: [f64; 4]) -> Self {
        let area = least + (1.0 - least) * area;
        // Sides of √(area·aspect) and √(area/aspect) must not exceed 1.
        let (low, high) = (ASPECT.0.max(area).ln(), ASPECT.1.min(1.0 / area).ln());
        let aspect = (low + (high - low) * aspect).exp();
        let (full_height, full_width) = (shape.height as f64, shape.width as f64);
        let height = full_height * (area / aspect).sqrt().min(1.0);
        let width = full_width * (area * aspect).sqrt().min(1.0);
        Window { top: (full_height - height) * top, left: (full_width - width) * left, height, width }
    }
}

/// Mirrors an image, left to right.
pub(super) fn flip(image: &mut [f32], shape: ImageShape) {
    for row in image.chunks_exact_mut(shape.width * shape.channels) {
        for left in 0..shape.width / 2 {
            let right = shape.width - 1 - left;
            for channel in 0..shape.channels {
                row.swap(left * shape.channels + channel, right * shape.channels + channel);
            }
        }
    }
}

/// Moves an image down and to the right, or up and to the left where negative; zero comes after it.
pub(super) fn shift(image: &[f32], shape: ImageShape, down: isize, right: isize) -> Vec<f32> {
    let mut moved = vec![0.0; image.len()];
    for y in 0..shape.height {
        for x in 0..shape.width {
            let from = (y.checked_add_signed(-down), x.checked_add_signed(-right));
            let (Some(from_y), Some(from_x)) = from else { continue };
            if from_y < shape.height && from_x < shape.width {
                let (to, from) = (at(shape, y, x), at(shape, from_y, from_x));
                moved[to..to + shape.channels].copy_from_slice(&image[from..from + shape.channels]);
            }
        }
    }
    moved
}

/// Enlarges a section of an image to its full size, by linear interpolation between the centres of
/// pixels. Beyond the outermost centres the image goes on as it is there.
pub(super) fn enlarge(image: &[f32], shape: ImageShape, window: Window) -> Vec<f32> {
    let rows = taps(shape.height, window.top, window.height);
    let columns = taps(shape.width, window.left, window.width);
    let mut enlarged = Vec::with_capacity(image.len());
    for row in &rows {
        for column in &columns {
            let corner = |y, x| at(shape, y, x);
            let corners = [
                (corner(row.first, column.first), (1.0 - row.share) * (1.0 - column.share)),
                (corner(row.first, column.second), (1.0 - row.share) * column.share),
                (corner(row.second, column.first), row.share * (1.0 - column.share)),
                (corner(row.second, column.second), row.share * column.share),
            ];
            for channel in 0..shape.channels {
                enlarged.push(corners.iter().map(|&(start, weight)| weight * image[start + channel]).sum());
            }
        }
    }
    enlarged
}

/// Two neighbouring pixels along an axis, and how much the second counts.
struct Tap {
    first: usize,
    second: usize,
    share: f32,
}

/// Where the `size` pixels of the enlarged axis lie between those of the section.
fn taps(size: usize, start: f64, extent: f64) -> Vec<Tap> {
    let last = size - 1;
    let tap = |pixel: usize| {
        let place = start + (pixel as f64 + 0.5) * extent / size as f64 - 0.5;
        let place = place.clamp(0.0, last as f64);
        let first = place.floor() as usize;
        Tap { first, second: (first + 1).min(last), share: (place - first as f64) as f32 }
    };
    (0..size).map(tap).collect()
}

fn at(shape: ImageShape, y: usize, x: usize) -> usize {
    (y * shape.width + x) * shape.channels
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TWO: ImageShape = ImageShape { height: 2, width: 3, channels: 2 };
    const IMAGE: [f32; 12] = [1., -1., 2., -2., 3., -3., 4., -4., 5., -5., 6., -6.];

    #[test]
    fn a_mirror_turns_columns_and_keeps_channels() {
        let mut image = IMAGE;
        flip(&mut image, TWO);
        assert_eq!(image, [3., -3., 2., -2., 1., -1., 6., -6., 5., -5., 4., -4.]);
        flip(&mut image, TWO);
        assert_eq!(image, IMAGE);
    }

    #[test]
    fn a_moved_image_leaves_zeros() {
        assert_eq!(shift(&IMAGE, TWO, 0, 1), [0., 0., 1., -1., 2., -2., 0., 0., 4., -4., 5., -5.]);
        assert_eq!(shift(&IMAGE, TWO, -1, -2), [6., -6., 0., 0., 0., 0., 0., 0., 0., 0., 0., 0.]);
        assert_eq!(shift(&IMAGE, TWO, 0, 0), IMAGE);
        assert_eq!(shift(&IMAGE, TWO, 5, 0), [0.0; 12]);
    }

    #[test]
    fn a_section_is_interpolated_between_centres() {
        let row = ImageShape { height: 1, width: 4, channels: 1 };
        // The right half of 0 4 8 12: new centres at 1.75, 2.25, 2.75 and 3.25, the last clamped to 3.
        let right = Window { top: 0.0, left: 2.0, height: 1.0, width: 2.0 };
        assert_eq!(enlarge(&[0., 4., 8., 12.], row, right), [7., 9., 11., 12.]);
        // The middle ninth of 3 × 3 is its middle pixel with the neighbours at a third of the way.
        let square = ImageShape { height: 3, width: 3, channels: 1 };
        let middle = Window { top: 1.0, left: 1.0, height: 1.0, width: 1.0 };
        let grown = enlarge(&[0., 0., 0., 0., 9., 0., 0., 0., 0.], square, middle);
        let expected = [4., 6., 4., 6., 9., 6., 4., 6., 4.];
        assert!(grown.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-5), "{grown:?}");
    }

    #[test]
    fn the_largest_section_is_the_image() {
        let whole = Window::random(TWO, 1.0, [0.3, 0.7, 0.2, 0.9]);
        assert_eq!(whole, Window { top: 0.0, left: 0.0, height: 2.0, width: 3.0 });
        assert_eq!(enlarge(&IMAGE, TWO, whole), IMAGE);
    }

    proptest! {
        #[test]
        fn sections_have_their_area_and_stay_inside(
            height in 1usize..50, width in 1usize..50, least in 0.01..=1.0f64, draws: [f64; 4],
        ) {
            let draws = draws.map(|draw| draw.abs().fract());
            prop_assume!(draws.iter().all(|draw| draw.is_finite()));
            let window = Window::random(ImageShape { height, width, channels: 1 }, least, draws);
            let (full_height, full_width) = (height as f64, width as f64);
            let share = window.height * window.width / (full_height * full_width);
            let expected = least + (1.0 - least) * draws[0];
            prop_assert!((share - expected).abs() < 1e-9, "{share} {expected}");
            prop_assert!(window.top >= 0.0 && window.top + window.height <= full_height + 1e-9);
            prop_assert!(window.left >= 0.0 && window.left + window.width <= full_width + 1e-9);
            let aspect = window.width / full_width / (window.height / full_height);
            prop_assert!(aspect > 0.75 - 1e-9 && aspect < 4.0 / 3.0 + 1e-9, "{aspect}");
        }
    }
}
