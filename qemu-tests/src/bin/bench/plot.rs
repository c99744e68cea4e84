// SPDX-License-Identifier: GPL-2.0-only
//! The results as plots: time against size, memory against size, both axes logarithmic.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use plotters::prelude::*;
use plotters::style::RGBColor;

use crate::frontier;
use crate::results::{Results, Row};

/// Pixels. The background is white whatever the page's is.
const SIZE: (u32, u32) = (860, 520);
/// Least value shown: a logarithmic axis has no nought.
const LEAST: f64 = 0.1;

/// What a plot shows of a row.
type Figure = fn(&Results, &Row) -> f64;

/// A plot: its file's name, what it shows, the axis.
struct Plot {
    file: &'static str,
    title: &'static str,
    unit: &'static str,
    figure: Figure,
    /// Set if the documents show it.
    is_shown: bool,
}

const PLOTS: &[Plot] = &[
    Plot {
        file: "time-init.svg",
        title: "Time to /init",
        unit: "ms over the floor (0.1 if less), 2 ns per instruction",
        figure: |results, row| results.over(row).init,
        is_shown: true,
    },
    Plot {
        file: "time-tenth.svg",
        title: "Time until /init has read 10 % of the bytes",
        unit: "ms over the floor (0.1 if less), 2 ns per instruction",
        figure: |results, row| results.over(row).tenth,
        is_shown: false,
    },
    Plot {
        file: "time-all.svg",
        title: "Time until /init has read all bytes",
        unit: "ms over the floor (0.1 if less), 2 ns per instruction",
        figure: |results, row| results.over(row).all,
        is_shown: true,
    },
    Plot {
        file: "memory-init.svg",
        title: "Memory in use when /init starts",
        unit: "MiB over the floor (0.1 if less)",
        figure: |results, row| results.floor.available_mib.init - row.available_mib.init,
        is_shown: true,
    },
    Plot {
        file: "memory-most.svg",
        title: "Most memory ever in use, all bytes read",
        unit: "MiB over the floor (0.1 if less)",
        figure: |results, row| row.touched_mib - results.floor.touched_mib,
        is_shown: true,
    },
];

/// Colours of a family, from its first kind on.
fn colour(name: &str, index: usize) -> RGBColor {
    let shades: &[(u8, u8, u8)] = match name {
        name if name.starts_with("cpio") => {
            &[(127, 39, 4), (217, 72, 1), (241, 150, 40), (220, 30, 90), (150, 80, 120)]
        }
        name if name.starts_with("EROFS") => &[
            (8, 48, 107),
            (33, 113, 181),
            (65, 171, 201),
            (35, 139, 69),
            (120, 198, 60),
            (106, 61, 154),
            (190, 160, 220),
        ],
        _ => &[(60, 60, 60), (130, 130, 130), (180, 160, 190)],
    };
    let (red, green, blue) = shades[index % shades.len()];
    RGBColor(red, green, blue)
}

/// Returns the plots, each as the name of its file and its text.
pub fn plots(results: &Results) -> Result<Vec<(&'static str, String)>> {
    let all = PLOTS.iter().map(|plot| Ok((plot.file, draw(plot, results)?)));
    let frontier = frontier::of_counted(results).transpose();
    all.chain(frontier.map(|text| Ok((frontier::FILE, text?)))).collect()
}

/// Returns the kinds that have a point at two sizes at least, with their points.
fn lines(plot: &Plot, results: &Results) -> Vec<(String, Vec<(f64, f64)>)> {
    let mut lines: Vec<(String, Vec<(f64, f64)>)> = Vec::new();
    for row in &results.rows {
        // PRECISION: Sizes are small.
        let point = (row.payload_mb as f64, (plot.figure)(results, row).max(LEAST));
        match lines.iter_mut().find(|(name, _)| *name == row.initrd) {
            Some((_, points)) => points.push(point),
            None => lines.push((row.initrd.clone(), vec![point])),
        }
    }
    lines.retain(|(_, points)| points.len() > 1);
    lines
}

fn draw(plot: &Plot, results: &Results) -> Result<String> {
    let lines = lines(plot, results);
    let points = || lines.iter().flat_map(|(_, points)| points.iter().copied());
    let most = points().map(|(_, y)| y).fold(LEAST, f64::max) * 1.3;
    let least = points().map(|(_, y)| y).fold(most, f64::min) / 1.3;
    let widest = points().map(|(x, _)| x).fold(1.0, f64::max);
    let narrowest = points().map(|(x, _)| x).fold(widest, f64::min);

    let mut text = String::new();
    {
        let area = SVGBackend::with_string(&mut text, SIZE).into_drawing_area();
        area.fill(&WHITE)?;
        let (left, right) = area.split_horizontally(SIZE.0 - 220);
        let mut chart = ChartBuilder::on(&left)
            .caption(plot.title, ("sans-serif", 18))
            .margin(12)
            .x_label_area_size(44)
            .y_label_area_size(72)
            .build_cartesian_2d((narrowest..widest).log_scale(), (least..most).log_scale())?;
        let number = |value: &f64| format!("{value}");
        chart
            .configure_mesh()
            .x_desc("files in the initrd, MB")
            .y_desc(plot.unit)
            .x_label_formatter(&number)
            .y_label_formatter(&number)
            .axis_desc_style(("sans-serif", 14))
            .light_line_style(TRANSPARENT)
            .label_style(("sans-serif", 13))
            .draw()?;
        for (index, (name, points)) in lines.iter().enumerate() {
            let colour = colour(name, family_index(&lines, index));
            chart.draw_series(LineSeries::new(points.iter().copied(), colour.stroke_width(2)))?;
            let marks = points.iter().map(|point| Circle::new(*point, 3, colour.filled()));
            chart.draw_series(marks)?;
        }
        legend(&right, &lines)?;
        area.present()?;
    }
    Ok(text)
}

/// Returns how many of the same family come before this line.
fn family_index(lines: &[(String, Vec<(f64, f64)>)], index: usize) -> usize {
    let family = |name: &str| name.chars().take(4).collect::<String>();
    let own = lines.get(index).map(|(name, _)| family(name)).unwrap_or_default();
    lines.iter().take(index).filter(|(name, _)| family(name) == own).count()
}

/// Returns the names of the lines, beside the plot.
fn legend<B: DrawingBackend>(
    area: &DrawingArea<B, plotters::coord::Shift>,
    lines: &[(String, Vec<(f64, f64)>)],
) -> Result<()>
where
    B::ErrorType: 'static,
{
    let style = ("sans-serif", 14).into_font();
    let mut y = 50;
    let mut entry = |name: &str, colour: RGBColor| -> Result<()> {
        let line = PathElement::new(vec![(4, y), (26, y)], colour.stroke_width(3));
        area.draw(&line)?;
        area.draw(&Text::new(name.to_owned(), (32, y - 7), style.clone()))?;
        y += 24;
        Ok(())
    };
    for (index, (name, _)) in lines.iter().enumerate() {
        entry(name, colour(name, family_index(lines, index)))?;
    }
    Ok(())
}

/// Returns those that the documents show, in Markdown.
pub fn links() -> String {
    let link = |plot: &Plot| format!("![{}](Documentation/bench/{})\n", plot.title, plot.file);
    PLOTS.iter().filter(|plot| plot.is_shown).map(link).collect()
}

/// Writes the plots into a directory.
pub fn write(results: &Results, directory: &Path) -> Result<()> {
    fs::create_dir_all(directory)?;
    for (name, text) in plots(results)? {
        fs::write(directory.join(name), text).with_context(|| format!("cannot write {name}"))?;
    }
    Ok(())
}
