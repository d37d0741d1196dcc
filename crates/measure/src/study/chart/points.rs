//! Every metric as rows of points: the single runs, their mean, one standard deviation to each side.

use plotters::coord::Shift;
use plotters::prelude::*;

use crate::picture::{
    FAINT, GRID, INK, Problem, TEXT_SIZE, TITLE_SIZE, airy, stroke, text, text_right, tick, width,
};
use crate::study::error::StudyError;
use crate::study::metric::Better;
use crate::study::render::{decimals, value};
use crate::study::results::Study;
use crate::study::table::Table;

use super::appearance::colors;
use super::picture;

const HEAD: u32 = 40;
const ROW: u32 = 28;
/// Title, axis and air of one panel.
const FRAME: u32 = 84;
const PLOT_WIDTH: u32 = 460;

/// One panel per metric, one row per group.
pub(in crate::study) fn points(study: &Study) -> Result<Option<String>, StudyError> {
    let table = study.table();
    let drawn: Vec<usize> = (0..table.metrics.len())
        .filter(|index| table.rows.iter().any(|row| row.columns[*index].summary.is_some()))
        .collect();
    if drawn.is_empty() {
        return Ok(None);
    }
    let labels: Vec<String> = study.groups.iter().map(|group| group.label()).collect();
    let colors = colors(&study.groups);
    let left = labels.iter().map(|label| width(label)).max().unwrap_or(0) as u32 + 30;
    let right = 190;
    let panel = FRAME + ROW * labels.len() as u32;
    let size = (left + PLOT_WIDTH + right, HEAD + panel * drawn.len() as u32);
    picture("points.svg", size, |root| {
        root.draw(&Text::new(study.title.clone(), (16, 22), text(TITLE_SIZE, INK)))?;
        let (_, mut rest) = root.split_vertically(HEAD);
        for index in drawn {
            let (area, below) = rest.split_vertically(panel);
            draw_panel(&area, &table, index, (&labels, &colors), (left, right))?;
            rest = below;
        }
        Ok(())
    })
    .map(Some)
}

fn draw_panel(
    area: &DrawingArea<SVGBackend, Shift>,
    table: &Table,
    index: usize,
    (labels, colors): (&[String], &[usize]),
    (left, right): (u32, u32),
) -> Result<(), Problem> {
    let metric = &table.metrics[index];
    let better = match metric.better {
        Better::Lower => "lower is better",
        Better::Higher => "higher is better",
    };
    let subtitle = format!("{} ({better})", metric.name);
    area.draw(&Text::new(subtitle, (16, 16), text(TEXT_SIZE, FAINT)))?;
    let (low, high) = extent(table, index);
    let (from, to) = airy(low, high, 0.08);
    let rows = table.rows.len();
    let mut chart = ChartBuilder::on(area)
        .margin_top(30)
        .margin_right(right)
        .margin_left(left)
        .margin_bottom(14)
        .x_label_area_size(28)
        .build_cartesian_2d(from..to, 0.0..rows as f64)?;
    chart
        .configure_mesh()
        .disable_y_mesh()
        .disable_y_axis()
        .light_line_style(TRANSPARENT)
        .bold_line_style(GRID)
        .axis_style(FAINT)
        .x_labels(8)
        .label_style(text(TEXT_SIZE, INK))
        .x_label_formatter(&|value| tick(*value, (to - from) / 8.0))
        .draw()?;
    let decimals = decimals(table.rows.iter().filter_map(|row| row.columns[index].summary));
    let (columns, lines) = chart.plotting_area().get_pixel_range();
    let origin = area.get_base_pixel();
    for (number, row) in table.rows.iter().enumerate() {
        // The first group stands on top.
        let y = (rows - number) as f64 - 0.5;
        let color = stroke(colors[number]).0;
        let pixel = lines.start - origin.1
            + ((number as f64 + 0.5) * f64::from(lines.end - lines.start) / rows as f64) as i32;
        area.draw(&Text::new(
            labels[number].clone(),
            (columns.start - origin.0 - 12, pixel),
            text_right(TEXT_SIZE, INK),
        ))?;
        let words = match &row.columns[index].summary {
            Some(summary) => format!("{}  (n={})", value(summary, decimals), summary.n),
            None => "no value".to_owned(),
        };
        let beside = (columns.end - origin.0 + 14, pixel);
        area.draw(&Text::new(words, beside, text(TEXT_SIZE, FAINT)))?;
        let Some(summary) = &row.columns[index].summary else { continue };
        if let Some(deviation) = summary.deviation {
            let ends = vec![(summary.mean - deviation, y), (summary.mean + deviation, y)];
            chart.draw_series([PathElement::new(ends, color.stroke_width(3))])?;
        }
        let single = row.runs.iter().filter_map(|run| run.values[index]);
        chart.draw_series(single.map(|value| Circle::new((value, y), 3, color.mix(0.55).stroke_width(1))))?;
        chart.draw_series([Circle::new((summary.mean, y), 5, color.filled())])?;
    }
    Ok(())
}

/// Everything that is drawn on the axis of one metric.
fn extent(table: &Table, index: usize) -> (f64, f64) {
    let summaries = || table.rows.iter().filter_map(|row| row.columns[index].summary);
    let reach = |sign: f64| summaries().map(move |s| s.mean + sign * s.deviation.unwrap_or(0.0));
    let low = summaries().map(|s| s.min).chain(reach(-1.0)).fold(f64::INFINITY, f64::min);
    let high = summaries().map(|s| s.max).chain(reach(1.0)).fold(f64::NEG_INFINITY, f64::max);
    (low, high)
}
