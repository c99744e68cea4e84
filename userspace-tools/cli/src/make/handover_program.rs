// SPDX-License-Identifier: GPL-2.0-only

//! The hand-over program for converted images: where it is found.

use std::env;
use std::fs;
use std::path::PathBuf;

use anyhow::{bail, Context, Result};

/// The path from the installed command to the hand-over program, as `make install` places them.
const INSTALLED: &str = "../libexec/initoverlayfs/handover";

/// Returns the program that takes the place of tools which cannot hand over: `INITOVERLAYFS_HANDOVER` in the
/// environment, or where it is installed.
pub fn handover_program() -> Result<Vec<u8>> {
    let place = env::var_os("INITOVERLAYFS_HANDOVER").filter(|name| !name.is_empty());
    let place = match place {
        Some(place) => PathBuf::from(place),
        None => {
            let command = env::current_exe().context("this program does not know where it is")?;
            command
                .parent()
                .map(|directory| directory.join(INSTALLED))
                .unwrap_or_default()
        }
    };
    match fs::read(&place) {
        Ok(program) => Ok(program),
        Err(error) => bail!(
            "the image needs a hand-over program, and there is none at {} ({error}): name one in \
             INITOVERLAYFS_HANDOVER, or pass --no-handover-shim",
            place.display()
        ),
    }
}
