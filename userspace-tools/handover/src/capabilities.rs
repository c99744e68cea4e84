// SPDX-License-Identifier: GPL-2.0-only

//! Capabilities that nothing is to have from now on, not even what the kernel itself starts.

use std::fs;
use std::str::FromStr;

use caps::{CapSet, Capability};

use crate::Result;

/// The files that say which capabilities programs have that the kernel starts (`kernel/umh.c`): two words each.
const HELPERS: [&str; 2] = [
    "/proc/sys/kernel/usermodehelper/bset",
    "/proc/sys/kernel/usermodehelper/inheritable",
];

/// Takes these away, given by names like `cap_sys_module`.
pub fn drop_all(names: &[String]) -> Result<()> {
    for name in names {
        let capability = Capability::from_str(&name.to_uppercase())
            .map_err(|_| format!("there is no capability {name}"))?;
        let fail = |error| format!("cannot drop {name}: {error}");
        for path in HELPERS {
            forbid_helpers(path, capability).map_err(|e| format!("cannot drop {name}: {e}"))?;
        }
        for set in [
            CapSet::Bounding,
            CapSet::Inheritable,
            CapSet::Effective,
            CapSet::Permitted,
        ] {
            caps::drop(None, set, capability).map_err(fail)?;
        }
    }
    Ok(())
}

fn forbid_helpers(path: &str, capability: Capability) -> std::io::Result<()> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        // A kernel that starts no programs.
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    let mut words = text
        .split_whitespace()
        .map(|word| word.parse().unwrap_or(0_u32));
    let (low, high) = (words.next().unwrap_or(0), words.next().unwrap_or(0));
    let bits = (u64::from(high) << 32 | u64::from(low)) & !capability.bitmask();
    let [low, high] = [bits & 0xffff_ffff, bits >> 32];
    fs::write(path, format!("{low} {high}"))
}
