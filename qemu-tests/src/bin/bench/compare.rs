// SPDX-License-Identifier: GPL-2.0-only
//! How far two runs agree.

use anyhow::Result;

use crate::results::{Results, Row};

/// Differences that are listed.
const LARGEST: usize = 15;

/// Prints the differences of two runs.
pub fn print(one: &Results, other: &Results) -> Result<()> {
    let mut differences: Vec<(f64, &str, u64)> = Vec::new();
    for row in one.rows.iter().filter(|row| !row.has_disk) {
        let is_same =
            |found: &&Row| found.initrd == row.initrd && found.payload_mb == row.payload_mb;
        let Some(found) = other.rows.iter().find(is_same) else {
            continue;
        };
        let (a, b) = (one.over(row), other.over(found));
        for difference in [a.init - b.init, a.tenth - b.tenth, a.all - b.all] {
            differences.push((difference.abs(), &row.initrd, row.payload_mb));
        }
    }
    differences.sort_by(|a, b| b.0.total_cmp(&a.0));
    let within = differences.iter().filter(|(ms, ..)| *ms < 0.1).count();
    println!(
        "{within} of {} times differ by less than 0.1 ms; the largest differences:",
        differences.len()
    );
    for (ms, initrd, mb) in differences.iter().take(LARGEST) {
        println!("{ms:8.3} ms  {initrd}, {mb} MB");
    }
    Ok(())
}
