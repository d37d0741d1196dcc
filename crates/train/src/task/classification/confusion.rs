//! Which classes are taken for which.

use std::path::Path;

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use serde::Serialize;

use crate::{TrainError, storage};

/// More classes than this do not fit a picture.
const MOST_DRAWN: usize = 40;
const CELL: u32 = 44;
const INK: RGBColor = RGBColor(40, 40, 40);
/// The colour of a full cell.
const FULL: (u8, u8, u8) = (0, 90, 160);

/// How often each class was taken for each.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Confusion {
    /// Names of the classes.
    pub classes: Vec<String>,
    /// Examples of class `row` that were taken for class `column`.
    pub counts: Vec<Vec<u64>>,
}

impl Confusion {
    /// Nothing counted yet.
    pub fn new(classes: &[String]) -> Self {
        Confusion { classes: classes.to_vec(), counts: vec![vec![0; classes.len()]; classes.len()] }
    }

    /// Counts one example.
    ///
    /// # Panics
    /// If one of the two is no class.
    pub fn count(&mut self, label: usize, told: usize) {
        self.counts[label][told] += 1;
    }

    /// Number of examples.
    pub fn total(&self) -> u64 {
        self.counts.iter().flatten().sum()
    }

    /// Share of the examples that are on the diagonal.
    pub fn accuracy(&self) -> f64 {
        let right: u64 = (0..self.classes.len()).map(|class| self.counts[class][class]).sum();
        right as f64 / self.total().max(1) as f64
    }

    /// Share of each class that was told right; absent for a class without examples.
    pub fn recalls(&self) -> Vec<Option<f64>> {
        let recall = |class: usize| {
            let all: u64 = self.counts[class].iter().sum();
            (all > 0).then(|| self.counts[class][class] as f64 / all as f64)
        };
        (0..self.classes.len()).map(recall).collect()
    }

    /// Draws the matrix: rows are what is, columns what was told, darker is a larger share of the row.
    ///
    /// # Errors
    /// [`TrainError::Picture`] or [`TrainError::Write`].
    pub fn draw(&self, path: &Path) -> Result<(), TrainError> {
        let picture = self
            .render()
            .map_err(|error| TrainError::Picture { path: path.to_owned(), message: error.to_string() })?;
        storage::write_atomic(path, picture.as_bytes())
    }

    /// Whether there are few enough classes for a picture.
    pub fn can_be_drawn(&self) -> bool {
        self.classes.len() <= MOST_DRAWN
    }

    fn render(&self) -> Result<String, Box<dyn std::error::Error>> {
        let longest = self.classes.iter().map(|class| shown(class).chars().count()).max().unwrap_or(0) as u32;
        let (count, margin) = (self.classes.len() as u32, 40 + 9 * longest);
        let (left, top) = (margin as i32, 74);
        let size = (margin + count * CELL + 20, top as u32 + count * CELL + margin + 20);
        let mut svg = String::new();
        {
            let area = SVGBackend::with_string(&mut svg, size).into_drawing_area();
            area.fill(&WHITE)?;
            let title = format!("accuracy {:.1} % of {}", 100.0 * self.accuracy(), self.total());
            area.draw(&Text::new(title, (16, 16), font(19, HPos::Left)))?;
            area.draw(&Text::new("rows: the class; columns: what was told", (16, 44), font(14, HPos::Left)))?;
            for (row, counts) in self.counts.iter().enumerate() {
                let y = top + row as i32 * CELL as i32;
                let middle = y + CELL as i32 / 2;
                let name =
                    Text::new(shown(&self.classes[row]), (left - 8, middle - 7), font(14, HPos::Right));
                area.draw(&name)?;
                let all = counts.iter().sum::<u64>().max(1) as f64;
                for (column, &count) in counts.iter().enumerate() {
                    let x = left + column as i32 * CELL as i32;
                    cell(&area, (x, y), count, count as f64 / all)?;
                }
            }
            let below = top + (count * CELL) as i32 + 8;
            for (column, class) in self.classes.iter().enumerate() {
                let x = left + column as i32 * CELL as i32 + CELL as i32 / 2;
                let style = font(14, HPos::Left).transform(FontTransform::Rotate90);
                area.draw(&Text::new(shown(class), (x + 7, below), style))?;
            }
            area.present()?;
        }
        Ok(svg)
    }
}

fn cell(
    area: &DrawingArea<SVGBackend<'_>, plotters::coord::Shift>,
    (x, y): (i32, i32),
    count: u64,
    share: f64,
) -> Result<(), Box<dyn std::error::Error>> {
    let blend = |full: u8| (255.0 - share * (255.0 - f64::from(full))).round() as u8;
    let colour = RGBColor(blend(FULL.0), blend(FULL.1), blend(FULL.2));
    let corner = (x + CELL as i32 - 1, y + CELL as i32 - 1);
    area.draw(&Rectangle::new([(x, y), corner], colour.filled()))?;
    if count > 0 {
        let ink = if share > 0.5 { WHITE } else { INK };
        let middle = (x + CELL as i32 / 2, y + CELL as i32 / 2 - 6);
        area.draw(&Text::new(count.to_string(), middle, font(13, HPos::Center).color(&ink)))?;
    }
    Ok(())
}

fn font(size: u32, side: HPos) -> TextStyle<'static> {
    ("sans-serif", size).into_font().color(&INK).pos(Pos::new(side, VPos::Top))
}

/// A class name short enough for a picture.
fn shown(class: &str) -> String {
    let mut letters: String = class.chars().take(16).collect();
    if class.chars().count() > 16 {
        letters.push('…');
    }
    letters
}

#[cfg(test)]
mod tests {
    use super::*;

    fn confusion() -> Confusion {
        let mut confusion = Confusion::new(&["cat".to_owned(), "dog".to_owned(), "eel".to_owned()]);
        for (label, told) in [(0, 0), (0, 0), (0, 1), (1, 1)] {
            confusion.count(label, told);
        }
        confusion
    }

    #[test]
    fn shares_by_hand() {
        assert_eq!(confusion().accuracy(), 0.75);
        assert_eq!(confusion().recalls(), [Some(2.0 / 3.0), Some(1.0), None]);
        assert_eq!(confusion().total(), 4);
    }

    #[test]
    fn the_picture_names_every_class_and_count() {
        let picture = confusion().render().unwrap();
        for word in ["cat", "dog", "eel", "accuracy 75.0 % of 4", ">\n2\n<", ">\n1\n<"] {
            assert!(picture.contains(word), "no `{word}` in {picture}");
        }
    }
}
