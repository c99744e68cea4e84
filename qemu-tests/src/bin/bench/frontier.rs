// SPDX-License-Identifier: GPL-2.0-only
//! The choice between size and time, as a plot: a mark for each kind of initrd, in a panel for each part of the files
//! that is read.
//!
//! A line joins the kinds of which no other is both smaller and sooner.

use anyhow::Result;
use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::RGBColor;

use crate::candidates::VARIANTS_AT;
use crate::measure::median;
use crate::results::{Results, Stages};
use crate::wall::Run;

/// The files' names.
pub const FILE: &str = "frontier.svg";
pub const WALL_FILE: &str = "frontier-wall.svg";

/// Pixels: of all, of a panel's width, and of a line beside them.
const SIZE: (u32, u32) = (1180, 470);
const PANEL: u32 = 320;
const LINE: i32 = 20;
/// Least value shown: a logarithmic axis has no nought.
const LEAST: f64 = 0.1;
/// The panels' titles.
const TITLES: [&str; 3] = ["nothing read: /init starts", "10 % read", "all read"];

/// A kind of initrd.
struct Mark {
    name: String,
    mb: f64,
    /// Milliseconds, for each panel that has it.
    ms: [Option<f64>; 3],
}

/// Returns the plot of the counting clock, if the size that it shows was measured.
pub fn of_counted(results: &Results) -> Result<Option<String>> {
    let rows = results.rows.iter().filter(|row| row.payload_mb == VARIANTS_AT && !row.has_disk);
    let marks: Vec<Mark> = rows
        .filter(|row| is_shown(&row.initrd))
        .map(|row| {
            let Stages { init, tenth, all } = results.over(row);
            let ms = [init, tenth, all].map(|ms| Some(ms.max(LEAST)));
            Mark { name: row.initrd.clone(), mb: megabytes(row.bytes), ms }
        })
        .collect();
    let unit = "ms over the floor (0.1 if less), 2 ns per instruction";
    (!marks.is_empty()).then(|| draw(&marks, unit)).transpose()
}

/// Returns the plot of two processors; `counted` knows the sizes if the run does not.
pub fn of_wall(run: &Run, counted: Option<&Results>) -> Result<String> {
    let mut marks = Vec::new();
    for one in run.series.iter().filter(|one| one.payload_mb == VARIANTS_AT) {
        let counted = counted.into_iter().flat_map(|results| &results.rows).find(|row| {
            row.initrd == one.initrd && row.payload_mb == one.payload_mb && !row.has_disk
        });
        let Some(bytes) = one.bytes.or(counted.map(|row| row.bytes)) else { continue };
        if is_shown(&one.initrd) {
            let ms = [&one.init_ms, &one.tenth_ms, &one.all_ms].map(|ms| median(ms.clone()).ok());
            marks.push(Mark { name: one.initrd.clone(), mb: megabytes(bytes), ms });
        }
    }
    draw(&marks, "ms from the start of the kernel, by an ordinary clock")
}

/// Returns whether a kind is a choice of format: the others show what else may cost something.
fn is_shown(name: &str) -> bool {
    let is_format = ["cpio", "EROFS", "squashfs"].iter().any(|start| name.starts_with(start));
    is_format && !name.contains("verify")
}

fn megabytes(bytes: u64) -> f64 {
    // PRECISION: Sizes are far below the 53 bits that a double holds exactly.
    bytes as f64 / 1e6
}

/// Returns the points of which no other is both smaller and sooner, by size.
fn frontier(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let mut sorted = points.to_vec();
    sorted.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));
    let mut found: Vec<(f64, f64)> = Vec::new();
    for point in sorted {
        if found.last().is_none_or(|last| point.1 < last.1) {
            found.push(point);
        }
    }
    found
}

/// Returns the corners of a line that goes on at the height of each point up to the next one.
fn stairs(points: &[(f64, f64)], end: f64) -> Vec<(f64, f64)> {
    let next = points.iter().skip(1).map(|point| point.0).chain([end]);
    points.iter().zip(next).flat_map(|(point, next)| [*point, (next, point.1)]).collect()
}

fn colour(name: &str) -> RGBColor {
    match name {
        name if name.starts_with("cpio") => RGBColor(217, 72, 1),
        name if name.starts_with("EROFS") => RGBColor(33, 113, 181),
        _ => RGBColor(35, 139, 69),
    }
}

fn draw(marks: &[Mark], unit: &str) -> Result<String> {
    let mut text = String::new();
    {
        let mut rest = SVGBackend::with_string(&mut text, SIZE).into_drawing_area();
        rest.fill(&WHITE)?;
        for (panel, title) in TITLES.iter().enumerate() {
            let ms = |mark: &Mark| mark.ms.get(panel).copied().flatten();
            if marks.iter().any(|mark| ms(mark).is_some()) {
                let (area, others) = rest.split_horizontally(PANEL);
                draw_panel(&area, title, unit, marks, &ms)?;
                rest = others;
            }
        }
        legend(&rest, marks)?;
        rest.present()?;
    }
    Ok(text)
}

/// Draws the marks in a panel, each with its number.
fn draw_panel<B: DrawingBackend>(
    area: &DrawingArea<B, Shift>,
    title: &str,
    unit: &str,
    marks: &[Mark],
    ms: &dyn Fn(&Mark) -> Option<f64>,
) -> Result<()>
where
    B::ErrorType: 'static,
{
    let points: Vec<(f64, f64)> =
        marks.iter().filter_map(|mark| Some((mark.mb, ms(mark)?))).collect();
    let widest = points.iter().map(|point| point.0).fold(1.0, f64::max) * 1.08;
    let most = points.iter().map(|point| point.1).fold(LEAST, f64::max) * 1.6;
    let least = points.iter().map(|point| point.1).fold(most, f64::min) / 1.6;
    let mut chart = ChartBuilder::on(area)
        .caption(title, ("sans-serif", 16))
        .margin(10)
        .x_label_area_size(40)
        .y_label_area_size(62)
        .build_cartesian_2d(0.0..widest, (least..most).log_scale())?;
    chart
        .configure_mesh()
        .x_desc("size, MB")
        .y_desc(unit)
        .x_labels(6)
        .x_label_formatter(&|value| format!("{value:.0}"))
        .y_label_formatter(&|value| format!("{value}"))
        .axis_desc_style(("sans-serif", 12))
        .light_line_style(TRANSPARENT)
        .label_style(("sans-serif", 12))
        .draw()?;
    let line = stairs(&frontier(&points), widest);
    chart.draw_series(LineSeries::new(line, RGBColor(170, 170, 170).stroke_width(2)))?;
    for (index, mark) in marks.iter().enumerate() {
        let Some(ms) = ms(mark) else { continue };
        let colour = colour(&mark.name);
        let style = ("sans-serif", 12).into_font().color(&colour);
        // Neighbours are often level.
        let beside = (5, if index % 2 == 0 { -13 } else { 4 });
        let number = Text::new((index + 1).to_string(), beside, style);
        let circle = Circle::new((0, 0), 4, colour.filled());
        chart.draw_series([EmptyElement::at((mark.mb, ms)) + circle + number])?;
    }
    Ok(())
}

/// Draws the names beside the panels.
fn legend<B: DrawingBackend>(area: &DrawingArea<B, Shift>, marks: &[Mark]) -> Result<()>
where
    B::ErrorType: 'static,
{
    let mut y = 20;
    for (index, mark) in marks.iter().enumerate() {
        let style = ("sans-serif", 13).into_font().color(&colour(&mark.name));
        let words = format!("{}  {}, {:.0} MB", index + 1, mark.name, mark.mb);
        area.draw(&Text::new(words, (8, y), style))?;
        y += LINE;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::tests::{results, row};
    use crate::wall::tests::{run, series};

    #[test]
    fn what_is_larger_and_later_is_not_on_the_frontier() {
        let points = [(50.0, 1.0), (20.0, 9.0), (30.0, 10.0), (50.0, 3.0), (60.0, 1.0)];
        assert_eq!(frontier(&points), [(20.0, 9.0), (50.0, 1.0)]);
        let expected = [(20.0, 9.0), (50.0, 9.0), (50.0, 1.0), (100.0, 1.0)];
        assert_eq!(stairs(&frontier(&points), 100.0), expected);
    }

    #[test]
    fn formats_of_the_size_are_shown() -> Result<()> {
        let rows = vec![
            row("cpio.zst", 100, 20_000_000, [2500.0, 2600.0, 3000.0]),
            row("EROFS lz4hc", 100, 50_000_000, [-1.0, 100.0, 1000.0]),
            row("EROFS plain, verify=sha256", 100, 50_000_000, [5.0, 100.0, 1000.0]),
            row("ext4", 100, 50_000_000, [5.0, 100.0, 1000.0]),
            row("EROFS plain", 10, 50_000_000, [5.0, 100.0, 1000.0]),
        ];
        let plot = of_counted(&results(rows))?.unwrap_or_default();
        assert!(plot.contains("1  cpio.zst, 20 MB") && plot.contains("2  EROFS lz4hc, 50 MB"));
        assert!(!plot.contains("3  "));
        assert!(of_counted(&results(Vec::new()))?.is_none());
        Ok(())
    }

    #[test]
    fn sizes_and_stages_that_an_older_run_lacks_are_no_hindrance() -> Result<()> {
        let mut older = series("cpio", None, [1.0, 2.0, 3.0]);
        older.tenth_ms.clear();
        let counted = results(vec![row("cpio", 100, 100_000_000, [0.0; 3])]);
        let plot =
            of_wall(&run(vec![older, series("EROFS plain", None, [1.0; 3])]), Some(&counted))?;
        assert!(plot.contains("1  cpio, 100 MB") && !plot.contains("EROFS"));
        assert!(plot.contains(TITLES[0]) && !plot.contains(TITLES[1]) && plot.contains(TITLES[2]));
        Ok(())
    }
}
