// SPDX-License-Identifier: GPL-2.0-only
//! A run as tables in Markdown.

use std::fmt::Write;

use anyhow::Result;
use qemu_tests::least::STEP;
use qemu_tests::loading::{Choice, Table};

use crate::generators::{OURS, STOCK};
use crate::results::{Conversion, Converted, Least, Results, Row, Stages};

/// Returns all tables; those without figures are left out.
pub fn tables(results: &Results) -> Result<String> {
    let mut out = String::new();
    boots(&mut out, &results.rows)?;
    let mut generators: Vec<&str> = results.rows.iter().map(|row| &*row.generator).collect();
    generators.dedup();
    if !generators.is_empty() {
        out += &Table::legend("seconds");
    }
    for generator in generators {
        let is_its = |row: &&Row| row.generator == generator;
        let rows: Vec<&Row> = results.rows.iter().filter(is_its).collect();
        loading(&mut out, generator, &rows)?;
    }
    least(&mut out, &results.least)?;
    conversions(&mut out, &results.conversions)?;
    Ok(out)
}

/// Adds the table of the least memory.
fn least(out: &mut String, all: &[Least]) -> Result<()> {
    if all.is_empty() {
        return Ok(());
    }
    writeln!(
        out,
        "The least memory of the machine, in MiB, with which the image boots up to the real root's init, or to the \
         installer's first question. Found by bisection in steps of {STEP} MiB, on one processor, by an ordinary clock.\n"
    )?;
    writeln!(out, "| initramfs | as it is | {OURS} | percent |")?;
    writeln!(out, "|---|--:|--:|--:|")?;
    for one in all {
        let mib = |mib: Option<u32>| mib.map_or("none".to_owned(), |mib| mib.to_string());
        let percent = match (one.ours_mib, one.stock_mib) {
            (Some(ours), Some(stock)) => {
                format!("{:.0}", f64::from(ours) * 100.0 / f64::from(stock))
            }
            _ => String::new(),
        };
        let (stock, ours) = (mib(one.stock_mib), mib(one.ours_mib));
        writeln!(out, "| {} | {stock} | **{ours}** | {percent} |", one.generator)?;
    }
    Ok(writeln!(out)?)
}

/// Adds the table of the boots.
pub fn boots(out: &mut String, rows: &[Row]) -> Result<()> {
    if rows.is_empty() {
        return Ok(());
    }
    writeln!(out, "| initrd | size | `/init` | real root's init | system up |")?;
    writeln!(out, "|---|--:|--:|--:|--:|")?;
    for row in rows {
        let name = match &*row.generator {
            "" => row.kind.clone(),
            generator => format!("{generator}, {}", row.kind),
        };
        write!(out, "| {name} | {} MB ", row.bytes / 1_000_000)?;
        let (at, available) = (row.seconds, row.available_mib);
        for (seconds, mib) in
            [(at.init, available.init), (at.real_init, available.real_init), (at.up, available.up)]
        {
            write!(out, "| {seconds:.2} s, {mib:.0} MiB ")?;
        }
        writeln!(out, "|")?;
    }
    Ok(writeln!(out)?)
}

/// Adds the table of a generator's initrds with what the loader pays.
fn loading(out: &mut String, generator: &str, rows: &[&Row]) -> Result<()> {
    let at_stage = |stage: fn(Stages) -> f64| -> Vec<Choice> {
        let times = rows.iter().map(|row| stage(row.seconds) * 1e3);
        let all = rows.iter().zip(times);
        all.map(|(row, ms)| Choice { name: &row.kind, bytes: row.bytes, ms }).collect()
    };
    let table = Table {
        about: generator.to_owned(),
        stages: vec![
            ("real root's init", at_stage(|at| at.real_init)),
            ("system up", at_stage(|at| at.up)),
        ],
        text: |ms| format!("{:.2}", ms / 1e3),
        stock: (STOCK, "The image as it is"),
        ours: &[OURS, "EROFS lz4hc"],
    };
    *out += &table.markdown()?;
    Ok(())
}

/// Adds the table of the sizes.
fn conversions(out: &mut String, all: &[Conversion]) -> Result<()> {
    if all.is_empty() {
        return Ok(());
    }
    writeln!(
        out,
        "The times below are of the host that ran this, by its own clock, one run of each: of the command, and of the \
         generator's compressor alone, for the same files.\n"
    )?;
    writeln!(
        out,
        "| initramfs | size, MB | `convert` | `convert --small` | `convert` takes | with `--small` | compressor | takes |"
    )?;
    writeln!(out, "|---|--:|--:|--:|--:|--:|---|--:|")?;
    for one in all {
        let size = |made: Converted| {
            // PRECISION: Whole percents are shown.
            let percent = made.bytes as f64 * 100.0 / one.bytes as f64;
            format!("{} ({percent:.0} %)", megabytes(made.bytes))
        };
        writeln!(
            out,
            "| {} | {} | {} | {} | ~{:.1} s | ~{:.1} s | `{}` | ~{:.1} s |",
            one.generator,
            megabytes(one.bytes),
            size(one.usual),
            size(one.small),
            one.usual.seconds,
            one.small.seconds,
            one.compressor,
            one.compress_seconds
        )?;
    }
    Ok(writeln!(out)?)
}

/// Bytes in millions.
fn megabytes(bytes: u64) -> String {
    // PRECISION: One digit behind the point is shown.
    format!("{:.1}", bytes as f64 / 1e6)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(kind: &str, bytes: u64, real_init: f64) -> Row {
        let seconds = Stages { init: 1.0, real_init, up: real_init + 4.0 };
        let available_mib = Stages { init: 900.0, real_init: 975.0, up: 960.0 };
        let generator = "dracut".to_owned();
        Row { generator, kind: kind.to_owned(), bytes, seconds, available_mib }
    }

    #[test]
    fn loading_is_added_to_the_boots() -> Result<()> {
        let rows = vec![row(STOCK, 35_000_000, 5.14), row(OURS, 39_000_000, 4.14)];
        let text = tables(&Results { rows, ..Results::default() })?;
        let line = "| as it is | 35.0 | 6.89 | 5.49 | 5.21 | 5.16 | 10.89 | 9.49 | 9.21 | 9.16 |";
        assert!(text.contains(line), "{text}");
        assert!(text.contains("| EROFS mixed | 39.0 | **6.09** | **4.53** |"), "{text}");
        let words = "* real root's init: as it is below 4.0 MB/s; EROFS mixed from 4.0 on. The image as it is is sooner";
        assert!(text.contains(words), "{text}");
        assert!(text.contains("| dracut, as it is | 35 MB | 1.00 s, 900 MiB | 5.14 s, 975 MiB |"));
        Ok(())
    }

    #[test]
    fn sizes_are_percents_of_the_generators() -> Result<()> {
        let one = Conversion {
            generator: "dracut".to_owned(),
            bytes: 35_200_000,
            compressor: "zstd -15".to_owned(),
            compress_seconds: 9.94,
            usual: Converted { bytes: 39_300_000, seconds: 4.0 },
            small: Converted { bytes: 35_200_000, seconds: 8.0 },
        };
        let text = tables(&Results { conversions: vec![one], ..Results::default() })?;
        let line = "| dracut | 35.2 | 39.3 (112 %) | 35.2 (100 %) | ~4.0 s | ~8.0 s | `zstd -15` | ~9.9 s |";
        assert!(text.contains(line), "{text}");
        Ok(())
    }

    #[test]
    fn least_memory_is_compared() -> Result<()> {
        let line = |stock_mib, ours_mib| {
            let least = vec![Least { generator: "dracut".to_owned(), stock_mib, ours_mib }];
            let text = tables(&Results { least, ..Results::default() })?;
            anyhow::Ok(text.trim_end().lines().last().unwrap_or_default().to_owned())
        };
        assert_eq!(line(Some(208), Some(80))?, "| dracut | 208 | **80** | 38 |");
        assert_eq!(line(None, Some(80))?, "| dracut | none | **80** |  |");
        Ok(())
    }

    #[test]
    fn a_later_run_replaces_figures() {
        let mut results =
            Results { rows: vec![row(STOCK, 1, 1.0), row(OURS, 1, 1.0)], ..Results::default() };
        results.add(Results { rows: vec![row(OURS, 2, 2.0)], ..Results::default() });
        assert_eq!(results.rows.iter().map(|row| row.bytes).collect::<Vec<_>>(), [1, 2]);
    }
}
