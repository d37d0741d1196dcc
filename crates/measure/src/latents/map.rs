//! The picture: the posterior means of texts on their two widest axes, one panel a layer, coloured by a label.

use mixlab_train::Latents;
use plotters::coord::Shift;
use plotters::prelude::*;

use super::principal::{Projection, project};
use crate::picture::{
    COLORS, FAINT, GRID, INK, PictureError, Problem, TEXT_SIZE, airy, stroke, svg, text, title, width,
};

const PANEL: u32 = 320;
const HEAD: u32 = 64;
const LEGEND_LINE: i32 = 20;
/// Labels that colours and marks can tell apart.
const MOST_CLASSES: usize = 3 * COLORS;

/// A label for every text.
#[derive(Clone, Copy, Debug)]
pub struct MapLabels<'a> {
    /// What the label tells.
    pub name: &'a str,
    /// Names of the classes.
    pub classes: &'a [String],
    /// Class of every text.
    pub of_rows: &'a [u32],
}

/// Draws the latents of texts as SVG.
///
/// # Errors
/// [`PictureError::Draw`] with what the drawing library says, for labels of more classes than can be told apart, or if there are not as many
/// labels as texts.
pub fn latent_map(latents: &Latents, labels: Option<MapLabels<'_>>) -> Result<String, PictureError> {
    if let Some(labels) = labels {
        if labels.classes.len() > MOST_CLASSES {
            let (found, name) = (labels.classes.len(), labels.name);
            let problem =
                format!("`{name}` has {found} values, and at most {MOST_CLASSES} can be told apart");
            return Err(PictureError::draw(problem));
        }
        if labels.of_rows.len() != latents.rows() {
            let problem = format!("{} labels for {} texts", labels.of_rows.len(), latents.rows());
            return Err(PictureError::draw(problem));
        }
    }
    let panels: Vec<Projection> = (0..latents.layers()).map(|layer| of_layer(latents, layer)).collect();
    let classes = labels.map_or(&[][..], |labels| labels.classes);
    let side = classes.iter().map(|class| width(class)).max().map_or(0, |widest| widest.max(90) + 50) as u32;
    let lines = (LEGEND_LINE * (classes.len() as i32 + 2)) as u32;
    let (plots_width, height) = (PANEL * panels.len() as u32, (HEAD + PANEL).max(HEAD + lines));
    svg((plots_width + side, height), |root| {
        head(root, latents)?;
        let (_, rest) = root.split_vertically(HEAD);
        let (plots, side) = rest.split_horizontally(plots_width);
        for (layer, (area, panel)) in plots.split_evenly((1, panels.len())).iter().zip(&panels).enumerate() {
            draw_panel(area, layer, panel, labels.map(|labels| labels.of_rows))?;
        }
        labels.map_or(Ok(()), |labels| legend(&side, labels))
    })
    .map_err(PictureError::draw)
}

fn of_layer(latents: &Latents, layer: usize) -> Projection {
    let points: Vec<f64> =
        (0..latents.rows()).flat_map(|row| latents.latent(row, layer).iter().copied()).collect();
    project(&points, latents.row_width() / latents.layers())
}

fn head(root: &DrawingArea<SVGBackend, Shift>, latents: &Latents) -> Result<(), Problem> {
    let heading = "Latents of texts on the two axes of their widest spread";
    let subtitle = format!("posterior means of {} texts, the lowest layer on the left", latents.rows());
    title(root, heading, &subtitle)
}

fn draw_panel(
    area: &DrawingArea<SVGBackend, Shift>,
    layer: usize,
    panel: &Projection,
    classes: Option<&[u32]>,
) -> Result<(), Problem> {
    let [first, second] = panel.shares.map(|share| 100.0 * share);
    let heading = format!("layer {}: {first:.0} % and {second:.0} % of the variance", layer + 1);
    area.draw(&Text::new(heading, (16, 10), text(TEXT_SIZE, INK)))?;
    let range = |axis: usize| {
        let places = panel.places.iter().map(|place| place[axis]);
        airy(places.clone().fold(f64::INFINITY, f64::min), places.fold(f64::NEG_INFINITY, f64::max), 0.06)
    };
    let ((left, right), (low, high)) = (range(0), range(1));
    let mut chart = ChartBuilder::on(area)
        .margin_top(26)
        .margin_left(16)
        .margin_right(8)
        .margin_bottom(12)
        .build_cartesian_2d(left..right, low..high)?;
    chart
        .configure_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(GRID)
        .axis_style(GRID)
        .x_labels(5)
        .y_labels(5)
        .draw()?;
    for (row, place) in panel.places.iter().enumerate() {
        let class = classes.map_or(0, |classes| classes[row] as usize);
        let at = (place[0], place[1]);
        let (color, mark) = (stroke(class).0, class / COLORS);
        match mark {
            0 => chart.draw_series([Circle::new(at, 2, color.mix(0.7).filled())])?,
            1 => chart.draw_series([Circle::new(at, 3, color.stroke_width(1))])?,
            _ => chart.draw_series([Cross::new(at, 3, color.stroke_width(1))])?,
        };
    }
    Ok(())
}

fn legend(area: &DrawingArea<SVGBackend, Shift>, labels: MapLabels<'_>) -> Result<(), Problem> {
    area.draw(&Text::new(labels.name.to_owned(), (10, 10), text(TEXT_SIZE, FAINT)))?;
    for (class, name) in labels.classes.iter().enumerate() {
        let y = 10 + LEGEND_LINE * (class as i32 + 1);
        let color = stroke(class).0;
        match class / COLORS {
            0 => area.draw(&Circle::new((16, y), 4, color.filled()))?,
            1 => area.draw(&Circle::new((16, y), 4, color.stroke_width(1)))?,
            _ => area.draw(&Cross::new((16, y), 4, color.stroke_width(1)))?,
        }
        area.draw(&Text::new(name.clone(), (28, y), text(TEXT_SIZE, INK)))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use mixlab_nn::latent::LatentConfig;
    use mixlab_objectives::vae::PosteriorConfig;

    use super::*;

    fn latents(rows: usize) -> Latents {
        Latents::from_prior(&LatentConfig::new(2, 3), &PosteriorConfig::default(), rows, 1)
    }

    #[test]
    fn every_text_is_a_mark_in_every_panel() {
        let classes: Vec<String> = (0..9).map(|class| format!("class {class}")).collect();
        let of_rows: Vec<u32> = (0..36).map(|row| row % 9).collect();
        let labels = MapLabels { name: "kind", classes: &classes, of_rows: &of_rows };
        let picture = latent_map(&latents(36), Some(labels)).unwrap();
        // Two panels of 36, and a legend of nine.
        assert_eq!(picture.matches("<circle").count(), 2 * 36 + 9);
        assert!(picture.contains("layer 2: ") && picture.contains("class 8"));
        assert_eq!(latent_map(&latents(36), None).unwrap().matches("<circle").count(), 2 * 36);
    }

    #[test]
    fn labels_that_cannot_be_told_apart_or_are_missing_are_refused() {
        let classes: Vec<String> = (0..30).map(|class| class.to_string()).collect();
        let error = |classes: &[String], of_rows: &[u32]| {
            let labels = MapLabels { name: "kind", classes, of_rows };
            latent_map(&latents(3), Some(labels)).unwrap_err().to_string()
        };
        assert!(error(&classes, &[0, 1, 2]).contains("30 values"));
        assert!(error(&classes[..3], &[0, 1]).contains("2 labels for 3 texts"));
    }
}
