// SPDX-License-Identifier: GPL-2.0-only
//! The boot that is counted.

use std::fs;
use std::path::Path;

use anyhow::{bail, Context, Result};

use super::stacks::Stacks;
use super::symbols;
use crate::machine::Machine;
use crate::tools;

/// The kernel's stacks have this size, in bits of the address, or that of a page if it is larger: `THREAD_SIZE` and
/// `IRQ_STACK_SIZE` without KASAN, which are the same on all machines.
const STACK_BITS: u8 = 14;

/// Boots, until `/init` runs, or until it has run so many other programs in its place, and returns what was counted on the way.
///
/// The machine has one processor. `plugin` is the library that `plugin/` is built to, `system_map` that
/// of the kernel.
pub fn count(machine: Machine, plugin: &Path, system_map: &Path, execs: u32) -> Result<Stacks> {
    let text = fs::read_to_string(system_map)
        .with_context(|| format!("no System.map at {}", system_map.display()))?;
    let place = tempfile::tempdir()?;
    let (symbols, output) = (place.path().join("symbols"), place.path().join("output"));
    fs::write(&symbols, symbols::for_plugin(&text)?)?;
    let (plugin, symbols) = (plugin.display(), symbols.display());
    let stack_bits = tools::page_shift()?.max(STACK_BITS);
    let output_path = output.display();
    let plugin = format!(
        "{plugin},symbols={symbols},output={output_path},stack_bits={stack_bits},execs={execs}"
    );
    let machine = machine.accel(&tools::counting());
    let (_, console) = machine.arguments(&["-plugin", &plugin]).run_to_any_end()?;
    let Ok(counted) = fs::read_to_string(&output) else {
        bail!("{console}\nthe boot has not come to /init, or not to so many execs");
    };
    Stacks::parse(&counted)
}
