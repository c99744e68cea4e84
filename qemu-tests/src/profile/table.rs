// SPDX-License-Identifier: GPL-2.0-only
//! Prints what was counted.

use std::io::{self, Write};

use super::stacks::Stacks;
use super::window::Window;

/// The parts of a boot, in its order, and what each is.
const PARTS: [(&str, &str); 5] = [
    ("claim", "our claim initcall"),
    ("between", "the kernel's other initcalls"),
    ("mount", "our mount initcalls"),
    ("start", "from run_init_process() to /init's first instruction"),
    ("init", "from there to the exec that --execs names"),
];

/// How much is printed of a part of the boot.
#[derive(Clone, Copy, Debug)]
pub struct Extent {
    /// Functions, those with the most instructions of their own.
    pub functions: usize,
    /// Branches of the call tree that have this part of the instructions, in percent.
    pub percent: f64,
}

/// Prints how many instructions each part has.
pub fn print_parts(out: &mut impl Write, stacks: &Stacks) -> io::Result<()> {
    writeln!(out, "{:>12} {:>12}", "instructions", "us")?;
    let total: u64 = PARTS.iter().map(|(phase, _)| stacks.total(phase)).sum();
    let sums = PARTS.iter().map(|(phase, what)| (*phase, stacks.total(phase), *what));
    for (name, count, what) in sums.chain([("all", total, "all of these")]) {
        writeln!(out, "{count:>12} {:>12.1}  {name}: {what}", micros(count))?;
    }
    Ok(())
}

/// Prints a part: its call tree, and its functions.
pub fn print(out: &mut impl Write, name: &str, window: &Window, extent: Extent) -> io::Result<()> {
    let Window { total, .. } = *window;
    writeln!(out, "\n== {name}: {total} instructions, {:.1} us", micros(total))?;
    writeln!(out, "\n{:>9} {:>6}  call, with all that it called", "us", "%")?;
    // PRECISION: A boot has far less than the 2^53 instructions that a double holds exactly.
    let least = (total as f64 * extent.percent / 100.0).ceil() as u64;
    for line in window.tree(least.max(1)) {
        let (us, percent) = (micros(line.inclusive), percent(line.inclusive, total));
        writeln!(out, "{us:>9.1} {percent:>6.1}  {:2$}{}", "", line.name, 2 * line.depth)?;
    }
    writeln!(
        out,
        "\n{:>12} {:>9} {:>6} {:>9}  function, by itself and with all that it called",
        "instructions", "us", "%", "with, us"
    )?;
    for (name, function) in window.functions().into_iter().take(extent.functions) {
        let (us, percent) = (micros(function.own), percent(function.own, total));
        let inclusive = micros(function.inclusive);
        writeln!(out, "{:>12} {us:>9.1} {percent:>6.1} {inclusive:>9.1}  {name}", function.own)?;
    }
    Ok(())
}

/// Returns the time of that many instructions on the counting clock, in microseconds.
fn micros(instructions: u64) -> f64 {
    // PRECISION: See above.
    instructions as f64 * 2.0 / 1000.0
}

fn percent(part: u64, whole: u64) -> f64 {
    // PRECISION: See above.
    100.0 * part as f64 / whole.max(1) as f64
}
