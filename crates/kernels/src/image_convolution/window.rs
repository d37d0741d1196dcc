//! Which pixels an output pixel sees.

/// A square window with a step, and zeros around the image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConvolutionWindow {
    /// Side of the window.
    pub side: usize,
    /// Pixels from one window to the next.
    pub stride: usize,
    /// Zeros on each side of the image.
    pub padding: usize,
}

impl ConvolutionWindow {
    /// Pixels of a window.
    pub fn size(self) -> usize {
        self.side * self.side
    }

    /// Windows along a side of so many pixels.
    ///
    /// # Panics
    /// If not one window fits.
    pub fn output(self, pixels: usize) -> usize {
        let room = pixels + 2 * self.padding;
        assert!(room >= self.side, "a window of {} on {pixels} pixels", self.side);
        (room - self.side) / self.stride + 1
    }

    /// Whether a window is one pixel and there is one for each.
    pub(super) fn is_point(self) -> bool {
        self == ConvolutionWindow { side: 1, stride: 1, padding: 0 }
    }

    /// Whether the output is as large as the input, with a window around every pixel.
    pub(super) fn keeps_size(self) -> bool {
        self.stride == 1 && self.side == 2 * self.padding + 1 && !self.is_point()
    }

    /// The part of window number `index` along a side of `pixels` that lies inside: its first pixel of the image, where that is in the
    /// window, and how many there are.
    #[inline]
    pub(super) fn inside(self, index: usize, pixels: usize) -> (usize, usize, usize) {
        let start = index * self.stride;
        let skipped = self.padding.saturating_sub(start);
        let first = (start + skipped) - self.padding.min(start + skipped);
        let end = (start + self.side).saturating_sub(self.padding).min(pixels);
        (first, skipped, end.saturating_sub(first))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_by_hand() {
        let window = ConvolutionWindow { side: 4, stride: 2, padding: 1 };
        assert_eq!(window.output(8), 4);
        // Pixels −1 to 2, 1 to 4, …, 5 to 8 of 0 to 7.
        assert_eq!(window.inside(0, 8), (0, 1, 3));
        assert_eq!(window.inside(1, 8), (1, 0, 4));
        assert_eq!(window.inside(3, 8), (5, 0, 3));
        let same = ConvolutionWindow { side: 3, stride: 1, padding: 1 };
        assert_eq!((same.output(5), same.inside(0, 5), same.inside(4, 5)), (5, (0, 1, 2), (3, 0, 2)));
        // An image smaller than what is around it.
        assert_eq!((same.output(1), same.inside(0, 1)), (1, (0, 1, 1)));
    }
}
