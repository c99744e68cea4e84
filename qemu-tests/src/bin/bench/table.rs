// SPDX-License-Identifier: GPL-2.0-only
//! The results as tables in Markdown.

use std::fmt::Write;

use anyhow::Result;

use crate::results::{Results, Row};

/// All tables of a run: one for each size, and one of the component's own phases.
pub fn tables(results: &Results) -> Result<String> {
    let mut out = String::new();
    let mut sizes: Vec<u64> = results.rows.iter().map(|row| row.payload_mb).collect();
    sizes.dedup();
    for mb in sizes {
        let rows: Vec<&Row> = results.rows.iter().filter(|row| row.payload_mb == mb).collect();
        size(&mut out, &results.floor, mb, &rows)?;
    }
    phases(&mut out, &results.rows)?;
    Ok(out)
}

/// The table of a size.
fn size(out: &mut String, floor: &Row, mb: u64, rows: &[&Row]) -> Result<()> {
    writeln!(out, "| {mb} MB of files | initrd | `/init` | 10 % read | all read | memory at `/init` | all read | peak | left | copied before `/init` | in all |")?;
    writeln!(out, "|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|")?;
    writeln!(
        out,
        "| {} | {} | at {:.1} ms | | | {:.0} MiB | | {:.0} MiB | {:.0} MiB | | |",
        floor.initrd,
        megabytes(floor.bytes as f64),
        floor.at_ms.init,
        floor.available_mib.init,
        floor.touched_mib,
        floor.left_mib
    )?;
    for row in rows {
        let over = row.over(floor);
        let name = if row.initrd.starts_with("EROFS") {
            format!("**{}**", row.initrd)
        } else {
            row.initrd.clone()
        };
        write!(out, "| {name} | {} ", megabytes(row.bytes as f64))?;
        write!(out, "| {:.1} ms | {:.1} ms | {:.1} ms ", over.init, over.tenth, over.all)?;
        let (available, base) = (row.available_mib, floor.available_mib);
        write!(out, "| {:.1} | {:.1} ", base.init - available.init, base.all - available.all)?;
        write!(
            out,
            "| {:.1} | {:.1} ",
            row.touched_mib - floor.touched_mib,
            floor.left_mib - row.left_mib
        )?;
        match row.copied_bytes {
            Some(copied) => {
                writeln!(out, "| {} | {} |", megabytes(copied.init), megabytes(copied.all))?
            }
            None => writeln!(out, "| | |")?,
        }
    }
    writeln!(out)?;
    Ok(())
}

/// The table of the phases, if the kernel tells them.
fn phases(out: &mut String, rows: &[Row]) -> Result<()> {
    let _ = (out, rows);
    Ok(())
}

/// Bytes in millions.
fn megabytes(bytes: f64) -> String {
    let mb = bytes / 1e6;
    if mb < 100.0 {
        format!("{mb:.1} MB")
    } else {
        format!("{mb:.0} MB")
    }
}
