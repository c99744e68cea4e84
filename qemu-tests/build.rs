// SPDX-License-Identifier: GPL-2.0-only
//! Builds the probe and the mini-initramfs's init, static programs, and tells the crate where they are.
//!
//! A build script runs once per build, before any test process exists, so tests running in parallel
//! never build the probe at the same time. It has a target directory of its own: Cargo holds
//! the lock of the outer one while this script runs.

use std::env;
use std::path::PathBuf;
use std::process::{Command, ExitCode};

/// The machines that can be booted: the kernel's name, Rust's, and a linker.
const GUESTS: [(&str, &str, &str); 3] = [
    ("x86_64", "x86_64-unknown-linux-gnu", "x86_64-linux-gnu-gcc"),
    ("arm64", "aarch64-unknown-linux-gnu", "aarch64-linux-gnu-gcc"),
    ("riscv64", "riscv64gc-unknown-linux-gnu", "riscv64-linux-gnu-gcc"),
];

/// Returns the machine that `ARCH` names, or the host's: Rust's name, and the linker if the host is another one.
///
/// The crate knows it as `GUEST`, and can leave tests out by `cfg(guest)`.
fn guest() -> Option<(&'static str, Option<&'static str>)> {
    println!("cargo::rerun-if-env-changed=ARCH");
    println!("cargo::rustc-check-cfg=cfg(guest, values(any()))");
    let host = env::var("HOST").unwrap_or_default();
    let arch = env::var("ARCH").unwrap_or_default();
    let mut guests = GUESTS.into_iter();
    let (name, target, linker) =
        guests.find(
            |(name, target, _)| {
                if arch.is_empty() {
                    host == *target
                } else {
                    arch == *name
                }
            },
        )?;
    println!("cargo::rustc-env=GUEST={name}");
    println!("cargo::rustc-cfg=guest=\"{name}\"");
    Some((target, (host != target).then_some(linker)))
}

fn main() -> ExitCode {
    let (Some(cargo), Some(out)) = (env::var_os("CARGO"), env::var_os("OUT_DIR")) else {
        eprintln!("this is a Cargo build script: it needs CARGO and OUT_DIR");
        return ExitCode::FAILURE;
    };
    let target_dir = PathBuf::from(out).join("probe-target");
    for input in ["build.rs", "Cargo.toml", "Cargo.lock", "probe/Cargo.toml", "probe/src"] {
        println!("cargo::rerun-if-changed={input}");
    }

    let Some((target, linker)) = guest() else {
        eprintln!("ARCH, or this machine, is none that can be booted");
        return ExitCode::FAILURE;
    };
    let mut command = Command::new(cargo);
    if let Some(linker) = linker {
        // The compiler has the standard library for its own machine only, and the source for all.
        let name = target.to_uppercase().replace('-', "_");
        command.arg("-Zbuild-std=std,panic_abort").env("RUSTC_BOOTSTRAP", "1");
        command.env(format!("CARGO_TARGET_{name}_LINKER"), linker);
        // The source is not where the compiler expects it if it came as a package of its own.
        if let Some(library) = env::var_os("RUST_LIB_SRC") {
            command.env("__CARGO_TESTS_ONLY_SRC_ROOT", library);
        }
    }
    let status = command
        .args(["build", "--quiet", "--locked", "--package=probe", "--bins"])
        .args(["--profile=probe", "--target", target, "--target-dir"])
        .arg(&target_dir)
        // Flags and wrappers of the outer build (lints, coverage) are not for the guest.
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .env_remove("RUSTC_WORKSPACE_WRAPPER")
        .env("RUSTFLAGS", "-C target-feature=+crt-static -C relocation-model=static")
        .status();
    match status {
        Ok(status) if status.success() => {
            let binaries = target_dir.join(target).join("probe");
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
