// SPDX-License-Identifier: GPL-2.0-only
//! The table of the time that each kind of initrd takes, to be loaded and to boot.

use anyhow::Result;
use qemu_tests::loading::{Choice, Table};

use crate::results::{Results, Row, Stages};

/// The sizes that this is shown for, in MB.
pub const SIZES: [u64; 2] = [10, 100];

/// The kinds that this is shown for, as far as they were measured. Those with a disk are not loaded.
pub const KINDS: [&str; 13] = [
    "cpio",
    "cpio.gz",
    "cpio.lz4",
    "cpio.zst",
    "cpio.zst, level 19",
    "cpio.xz",
    "EROFS plain",
    "EROFS lz4hc",
    "EROFS mixed",
    "EROFS zstd 64K",
    "EROFS small",
    "squashfs lz4hc",
    "squashfs zstd",
];

/// The kind that most distributions have, and those that the command makes: the first of these that was measured.
const STOCK: &str = "cpio.zst";
const OURS: [&str; 2] = ["EROFS mixed", "EROFS lz4hc"];

/// Adds the table of a size, if it is shown.
pub fn table(out: &mut String, results: &Results, mb: u64) -> Result<()> {
    let row_of =
        |name: &&str| results.rows.iter().find(|row| row.payload_mb == mb && row.initrd == *name);
    let rows: Vec<&Row> = KINDS.iter().filter_map(row_of).collect();
    if rows.is_empty() || !SIZES.contains(&mb) {
        return Ok(());
    }
    let at_stage = |stage: fn(Stages) -> f64| -> Vec<Choice> {
        let times = rows.iter().map(|row| stage(results.over(row)));
        let all = rows.iter().zip(times);
        all.map(|(row, ms)| Choice { name: &row.initrd, bytes: row.bytes, ms }).collect()
    };
    let table = Table {
        about: format!("{mb} MB of files"),
        stages: vec![
            ("`/init`", at_stage(|at| at.init)),
            ("10 % read", at_stage(|at| at.tenth)),
            ("all read", at_stage(|at| at.all)),
        ],
        text: milliseconds,
        stock: (STOCK, STOCK),
        ours: &OURS,
    };
    // Once is enough.
    if !out.contains(Table::LEGEND) {
        *out += &Table::legend("milliseconds");
    }
    *out += &table.markdown()?;
    Ok(())
}

/// Returns milliseconds with the digits that count.
fn milliseconds(ms: f64) -> String {
    match ms {
        few if few < 99.95 => format!("{few:.1}"),
        many => format!("{many:.0}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::tests::{results, row};

    #[test]
    fn the_loader_pays_by_size() -> Result<()> {
        let mut out = String::new();
        let rows = vec![
            row("cpio.zst", 100, 20_000_000, [2500.0, 2600.0, 3000.0]),
            row("EROFS lz4hc", 100, 50_000_000, [-1.0, 100.0, 1000.0]),
            row("EROFS lz4hc, verify=sha256", 100, 51_000_000, [5.0, 100.0, 1000.0]),
            row("EROFS lz4hc", 300, 150_000_000, [0.0, 100.0, 1000.0]),
        ];
        table(&mut out, &results(rows), 100)?;
        let line = "| cpio.zst | 20.0 | 3500 | 2700 | 2540 | 2510 | 3600 | 2800 | 2640 | 2610 | 4000 | 3200 | 3040 | 3010 |";
        assert!(out.contains(line), "{out}");
        let line = "| EROFS lz4hc | 50.0 | **2500** | **500** | **100** | **25.0** |";
        assert!(out.contains(line), "{out}");
        let words = "* `/init`: cpio.zst below 12 MB/s; EROFS lz4hc from 12 on. cpio.zst is sooner than EROFS lz4hc below 12 MB/s.\n";
        assert!(out.contains(words), "{out}");
        assert!(!out.contains("verify"), "{out}");
        Ok(())
    }

    #[test]
    fn other_sizes_have_no_such_table() -> Result<()> {
        let mut out = String::new();
        table(&mut out, &results(vec![row("cpio", 300, 1, [0.0; 3])]), 300)?;
        table(&mut out, &results(vec![row("cpio", 300, 1, [0.0; 3])]), 100)?;
        assert_eq!(out, "");
        Ok(())
    }
}
