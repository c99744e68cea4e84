// SPDX-License-Identifier: GPL-2.0-only
//! The kernel under virtme-ng, on this machine's own files: `make vng`.

use std::path::Path;
use std::process::Command;

use anyhow::{ensure, Result};

/// Runs a command there; returns its exit status and what it printed.
fn run(command: &str) -> Result<(Option<i32>, String)> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scripts/vng");
    let output = Command::new(script).env("COMMAND", command).output()?;
    let out = String::from_utf8_lossy(&output.stdout).into_owned();
    println!("{out}{}", String::from_utf8_lossy(&output.stderr));
    Ok((output.status.code(), out))
}

#[test]
#[ignore = "installs virtme-ng; make test-distro"]
fn virtme_ng_runs_a_command_and_returns_its_status() -> Result<()> {
    let (status, out) = run("dmesg | grep 'initoverlayfs: '; grep ' / ' /proc/mounts; exit 7")?;
    assert_eq!(status, Some(7));
    ensure!(out.contains("handed off the root"), "the initramfs was not mounted in place: {out}");
    ensure!(out.contains(" / 9p "), "the root is not this machine's: {out}");
    Ok(())
}
