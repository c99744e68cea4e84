// SPDX-License-Identifier: GPL-2.0-only

//! Recorded boots as a table: a row for each initrd, with the median and the range of each value.

use std::collections::BTreeMap;
use std::io::{self, Write};

use indicatif::HumanBytes;

use crate::measure::boot::Boot;

/// A value of a boot, and how it is shown.
type Column = (&'static str, fn(&Boot) -> Option<u64>, fn(u64) -> String);

const COLUMNS: [Column; 7] = [
    ("firmware", |boot| boot.firmware, seconds),
    ("loader", |boot| boot.loader, seconds),
    ("/init", |boot| boot.init, seconds),
    ("real init", |boot| Some(boot.real_init), seconds),
    ("system up", |boot| Some(boot.up), seconds),
    ("read", |boot| boot.read, bytes),
    ("available", |boot| Some(boot.available), bytes),
];

/// Prints the table. A column that no boot has a value for is left out.
pub fn print(out: &mut impl Write, boots: &[Boot]) -> io::Result<()> {
    let mut groups: BTreeMap<_, Vec<&Boot>> = BTreeMap::new();
    for boot in boots {
        let key = (&boot.kernel, &boot.initrd, boot.bytes);
        groups.entry(key).or_default().push(boot);
    }
    let columns = COLUMNS
        .iter()
        .filter(|(_, value, _)| boots.iter().any(|boot| value(boot).is_some()));
    let columns: Vec<&Column> = columns.collect();
    let header = ["kernel", "initrd", "size", "boots"].map(str::to_owned);
    let names = columns.iter().map(|(name, ..)| (*name).to_owned());
    let mut rows = vec![header.into_iter().chain(names).collect::<Vec<_>>()];
    for ((kernel, initrd, size), boots) in groups {
        let mut row = vec![kernel.clone(), initrd.clone()];
        row.push(size.map_or_else(unknown, bytes));
        row.push(boots.len().to_string());
        row.extend(columns.iter().map(|(_, value, show)| {
            spread(boots.iter().filter_map(|boot| value(boot)).collect(), *show)
        }));
        rows.push(row);
    }
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max();
    let widths: Vec<_> = (0..rows[0].len())
        .map(|column| width(column).unwrap_or(0))
        .collect();
    for row in &rows {
        let cells = row
            .iter()
            .zip(&widths)
            .map(|(cell, width)| format!("{cell:width$}"));
        writeln!(out, "{}", cells.collect::<Vec<_>>().join("  ").trim_end())?;
    }
    Ok(())
}

/// Returns the median, and the least and the most if they differ from it.
fn spread(mut values: Vec<u64>, show: fn(u64) -> String) -> String {
    values.sort_unstable();
    let (Some(&least), Some(&most)) = (values.first(), values.last()) else {
        return unknown();
    };
    let middle = values.len() / 2;
    let median = match values.len() % 2 {
        0 => values[middle - 1].midpoint(values[middle]),
        _ => values[middle],
    };
    if least == most {
        return show(median);
    }
    format!("{} ({} to {})", show(median), show(least), show(most))
}

fn unknown() -> String {
    "-".to_owned()
}

fn seconds(microseconds: u64) -> String {
    // Times of a boot are far below 2^53 us.
    #[allow(clippy::cast_precision_loss, reason = "a time to be shown")]
    let seconds = microseconds as f64 / 1e6;
    format!("{seconds:.2} s")
}

fn bytes(bytes: u64) -> String {
    HumanBytes(bytes).to_string()
}
