// SPDX-License-Identifier: GPL-2.0-only
//! A table in Markdown of times with loading, and lines that name the best choice for each bandwidth.

use std::fmt::Write;

use anyhow::Result;

use super::{best_in_words, cells, stock_in_words, Choice, BANDWIDTHS};

/// A table with columns for each stage of a boot.
pub struct Table<'a> {
    /// The head of the first column.
    pub about: String,
    /// The stages; each has the same choices, in the same order.
    pub stages: Vec<(&'a str, Vec<Choice<'a>>)>,
    /// Shows milliseconds.
    pub text: fn(f64) -> String,
    /// A stock initramfs, by its name and in words.
    pub stock: (&'a str, &'a str),
    /// Names of images to compare it with: the first one that there is counts.
    pub ours: &'a [&'a str],
}

impl Table<'_> {
    /// The meaning of the columns.
    pub const LEGEND: &'static str = "\
The same with loading: size divided by the bandwidth, plus the time above. The best of each column is bold. Loading \
goes by a real clock, the rest takes 2 ns for an instruction. On a machine that is N times as quick, read each bandwidth \
as N times as much.";

    /// Returns the meaning of the columns, for the first of several tables. Times are in this unit.
    pub fn legend(unit: &str) -> String {
        format!("{} Times are in {unit}, bandwidths in MB/s.\n\n", Self::LEGEND)
    }

    /// Returns the table, and a line for each stage.
    pub fn markdown(&self) -> Result<String> {
        let mut out = String::new();
        let [slowest, quicker @ ..] = BANDWIDTHS;
        write!(out, "| {} | size, MB ", self.about)?;
        for (name, _) in &self.stages {
            write!(out, "| {name}: {slowest} ")?;
            quicker.iter().try_for_each(|bandwidth| write!(out, "| {bandwidth} "))?;
        }
        writeln!(out, "|\n|---|--:|{}", "--:|".repeat(self.stages.len() * BANDWIDTHS.len()))?;
        let columns: Vec<_> =
            self.stages.iter().map(|(_, choices)| cells(choices, self.text)).collect();
        let choices = self.stages.first().map_or(&[][..], |(_, choices)| choices);
        for (at, choice) in choices.iter().enumerate() {
            let cells: Vec<&str> = columns
                .iter()
                .filter_map(|rows| rows.get(at))
                .flatten()
                .map(String::as_str)
                .collect();
            // PRECISION: One digit behind the point is shown.
            let size = choice.bytes as f64 / 1e6;
            writeln!(out, "| {} | {size:.1} | {} |", choice.name, cells.join(" | "))?;
        }
        writeln!(out, "\nThe best, by the bandwidth:\n")?;
        for (name, choices) in &self.stages {
            let stock = self.stock(choices).unwrap_or_default();
            writeln!(out, "* {name}: {}{stock}.", best_in_words(choices))?;
        }
        Ok(out + "\n")
    }

    /// Returns where stock is the better choice.
    fn stock(&self, choices: &[Choice]) -> Option<String> {
        let named = |wanted| choices.iter().find(|choice| choice.name == wanted);
        let stock = Choice { name: self.stock.1, ..*named(self.stock.0)? };
        let ours = self.ours.iter().find_map(|name| named(name))?;
        Some(format!(". {}", stock_in_words(&stock, ours)))
    }
}
