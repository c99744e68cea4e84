// SPDX-License-Identifier: GPL-2.0-only

//! The hand-over program for converted images: where it is found.

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::path::PathBuf;

use anyhow::{bail, Context, Result};

use initoverlayfs_image::handover::Found;

use crate::terminal::summary::shown;

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

/// Says what became of tools that cannot hand over, with the program that replaces them, if one does.
pub fn report(found: &BTreeMap<Vec<u8>, Found>, replacement: Option<&[u8]>) {
    for (path, one) in found {
        let fate = match one.obstacle(replacement.unwrap_or_default()) {
            Some(obstacle) if !one.has_replacement() || replacement.is_some() => {
                format!("not replaced: {obstacle}")
            }
            _ if replacement.is_none() => "left alone".to_owned(),
            _ => "replaced".to_owned(),
        };
        eprintln!("  /{}: {}; {fate}", shown(path), one.tool.trouble());
    }
}
