// SPDX-License-Identifier: GPL-2.0-only
//! How a boot from a broken initrd may end.

use anyhow::{bail, ensure, Context, Result};

use crate::machine::Machine;

/// What `require` promises to begin a panic with.
const REQUIRED: &str = "initoverlayfs: required, but ";
/// Panics because nothing could be executed: the tree was mounted, what is in it is broken.
const NO_INIT: [&str; 3] = ["Attempted to kill init", "No working init found", "Requested init"];

/// An ending that is allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// `/init` of the image ran.
    InPlace,
    /// The init of the disk ran, or of a cpio archive in the stock way, and no image was handed off.
    Fallback,
    /// The image was handed off, but has no `/init` to be seen: the kernel went on to the disk.
    PassedOn,
    /// The boot stopped with the reason that `require` gives.
    Refused,
    /// The image was mounted, but its init cannot be executed.
    NoInit,
    /// The init ran, and met an error in the tree that it cannot do without.
    Troubled,
}

/// Boots; anything but an [`Outcome`], above all an oops or a hang, is an error.
pub fn boot(machine: Machine) -> Result<Outcome> {
    let (report, console) = machine.run_to_any_end()?;
    let Some(report) = report else {
        let Some(panic) = console.panic() else {
            ensure!(
                console.has("Run /init as init process"),
                "{console}\nneither report nor panic"
            );
            return Ok(Outcome::Troubled);
        };
        if panic.contains(REQUIRED) {
            return Ok(Outcome::Refused);
        }
        ensure!(NO_INIT.iter().any(|text| panic.contains(text)), "{console}\n{panic}");
        return Ok(Outcome::NoInit);
    };
    let handed_off = console.has("initoverlayfs: handed off the root");
    match report.first()?.get("root.magic")? {
        "ef53" if handed_off => Ok(Outcome::PassedOn),
        "794c7630" => Ok(Outcome::InPlace), // overlay
        "ef53" | "858458f6" | "1021994" => Ok(Outcome::Fallback), // ext4, ramfs, tmpfs
        other => bail!("the root is of type {other}"),
    }
}

/// Boots an initrd under `auto` and under `require`. Returns how `auto` ended.
///
/// Where `auto` falls back, `require` must refuse, and the other way round.
pub fn both_ways(machine: impl Fn() -> Result<Machine>) -> Result<Outcome> {
    let auto = boot(machine()?).context("initoverlayfs=auto")?;
    let required = boot(machine()?.append("initoverlayfs=require"))?;
    let expected = match auto {
        Outcome::Fallback => Outcome::Refused,
        same => same,
    };
    ensure!(required == expected, "auto ends with {auto:?}, require with {required:?}");
    Ok(auto)
}
