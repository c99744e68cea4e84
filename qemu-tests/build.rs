// SPDX-License-Identifier: GPL-2.0-only
//! Builds the probe and the mini-initramfs's init, static programs, and tells the crate where they are.
//!
//! A build script runs once per build, before any test process exists, so tests running in parallel
//! never build the probe at the same time. It has a target directory of its own: Cargo holds
//! the lock of the outer one while this script runs.

use std::env;
use std::path::PathBuf;
use std::process::{Command, ExitCode};

/// The one target whose C library links statically without further packages.
const TARGET: &str = "x86_64-unknown-linux-gnu";

fn main() -> ExitCode {
    let (Some(cargo), Some(out)) = (env::var_os("CARGO"), env::var_os("OUT_DIR")) else {
        eprintln!("this is a Cargo build script: it needs CARGO and OUT_DIR");
        return ExitCode::FAILURE;
    };
    let target_dir = PathBuf::from(out).join("probe-target");
    for input in ["build.rs", "Cargo.toml", "Cargo.lock", "probe/Cargo.toml", "probe/src"] {
        println!("cargo::rerun-if-changed={input}");
    }

    let status = Command::new(cargo)
        .args(["build", "--quiet", "--locked", "--package=probe", "--bins"])
        .args(["--profile=probe", "--target", TARGET, "--target-dir"])
        .arg(&target_dir)
        // Flags and wrappers of the outer build (lints, coverage) are not for the guest.
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .env_remove("RUSTC_WORKSPACE_WRAPPER")
        .env("RUSTFLAGS", "-C target-feature=+crt-static -C relocation-model=static")
        .status();
    match status {
        Ok(status) if status.success() => {
            let binaries = target_dir.join(TARGET).join("probe");
            for (variable, name) in [("PROBE_BINARY", "probe"), ("MINI_INIT_BINARY", "mini-init")] {
                println!("cargo::rustc-env={variable}={}", binaries.join(name).display());
            }
            ExitCode::SUCCESS
        }
        Ok(status) => {
            eprintln!("building the probe failed: {status}");
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("cannot start cargo to build the probe: {error}");
            ExitCode::FAILURE
        }
    }
}
