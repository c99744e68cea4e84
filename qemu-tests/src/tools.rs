// SPDX-License-Identifier: GPL-2.0-only
//! Where the kernel, the image builders and the emulator are.
//!
//! Each place is a variable: taken from the environment, else from `build/tools.env` or the machine's
//! `build/tools-ARCH.env`, which the setup script writes, else a default.

use std::env;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{bail, ensure, Context, Result};

use crate::target::target;

/// The accelerator that works on every machine; see `Documentation/` for why KVM is not the default.
const PORTABLE_ACCEL: &str = "-accel tcg,thread=multi -cpu max";

/// Returns arguments for one processor with a clock that counts instructions, 2 ns each.
///
/// What makes two boots the same: a fixed date, and random numbers from a seed.
pub fn counting() -> String {
    let processor = target().counting_cpu;
    format!(
        "-accel tcg -cpu {processor} -icount shift=1,sleep=off -rtc base=2026-01-01,clock=vm -seed 1"
    )
}

/// Returns the same for a boot with a disk: while the guest waits for it, time passes as on the host.
///
/// With [`counting`], each wait would be a jump to the next timer, and a read of a file could take seconds.
pub fn counting_with_disk() -> String {
    let processor = target().counting_cpu;
    format!("-accel tcg -cpu {processor} -icount shift=1 -rtc clock=vm")
}

/// Returns the probe, which the build script of this crate made.
pub fn probe() -> &'static Path {
    Path::new(env!("PROBE_BINARY"))
}

/// Returns the init of the mini-initramfs that the benchmark compares with; made like the probe.
pub fn mini_init() -> &'static Path {
    Path::new(env!("MINI_INIT_BINARY"))
}

/// Returns the project's directory.
pub fn project_dir() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Returns the project's build directory.
pub fn build_dir() -> PathBuf {
    match env::var_os("BUILD_DIR") {
        Some(dir) => dir.into(),
        None => Path::new(env!("CARGO_MANIFEST_DIR")).join("../build"),
    }
}

/// Returns a file that `scripts/distro` has made for the machine that is booted.
pub fn made(name: &str) -> Result<PathBuf> {
    let place = setting("DISTRO_DIR").map_or_else(|| build_dir().join("distro"), PathBuf::from);
    let path = place.join(name);
    ensure!(path.is_file(), "no {}: run `make test-distro`", path.display());
    Ok(path)
}

/// Returns the kernel to boot.
pub fn kernel() -> Result<PathBuf> {
    let kernel = setting("KERNEL").map_or_else(|| build_dir().join(target().kernel), PathBuf::from);
    ensure!(
        kernel.is_file(),
        "no kernel at {}: run `make kernel`, or set KERNEL",
        kernel.display()
    );
    Ok(kernel)
}

/// Returns what every kernel command line has as well, with a space in front; usually nothing.
pub fn kernel_append() -> String {
    setting("KERNEL_APPEND").map_or_else(String::new, |words| format!(" {}", words.trim()))
}

/// Returns the configuration of the kernel to boot.
pub fn kernel_config() -> Result<PathBuf> {
    let config = setting("KERNEL_CONFIG").map(PathBuf::from);
    config.map_or_else(|| kernel().map(|path| path.with_file_name("config")), Ok)
}

/// Returns whether the kernel to boot is configured with this option built in.
pub fn kernel_has(option: &str) -> Result<bool> {
    let config = kernel_config()?;
    let text = fs::read_to_string(&config)
        .with_context(|| format!("no configuration at {}", config.display()))?;
    Ok(text.lines().any(|line| line.strip_prefix(option) == Some("=y")))
}

/// Returns the size of a page of the kernel to boot, as a power of two.
pub fn page_shift() -> Result<u8> {
    let config = kernel_config()?;
    let text = fs::read_to_string(&config)?;
    let value = text.lines().find_map(|line| line.strip_prefix("CONFIG_PAGE_SHIFT="));
    let value = value.with_context(|| format!("no page size in {}", config.display()))?;
    Ok(value.parse()?)
}

/// Returns the emulator.
pub fn qemu() -> String {
    setting("QEMU").unwrap_or_else(|| target().qemu.to_owned())
}

/// Returns the emulator's arguments that choose accelerator and processor.
pub fn accel() -> Vec<String> {
    let words = setting("QEMU_ACCEL").unwrap_or_else(|| PORTABLE_ACCEL.to_owned());
    words.split_whitespace().map(str::to_owned).collect()
}

/// Returns the EROFS image builder: 1.8 or newer for all compressors.
pub fn mkfs_erofs() -> PathBuf {
    built_tool("MKFS_EROFS", "mkfs.erofs")
}

/// Returns the btrfs image builder: 6.14 or newer, which compresses.
pub fn mkfs_btrfs() -> PathBuf {
    built_tool("MKFS_BTRFS", "mkfs.btrfs")
}

/// Returns the one that is set, that was built, or that is installed.
fn built_tool(variable: &str, name: &str) -> PathBuf {
    let own = build_dir().join("host/bin").join(name);
    match setting(variable) {
        Some(path) => path.into(),
        None if own.is_file() => own,
        None => name.into(),
    }
}

/// Returns a statically linked busybox, if the setup script has found one.
pub fn busybox() -> Option<PathBuf> {
    setting("BUSYBOX").map(PathBuf::from)
}

/// Returns the static `kexec` that `make test-kexec` has built.
pub fn kexec() -> Result<PathBuf> {
    let path = setting("KEXEC").map_or_else(|| build_dir().join("host/bin/kexec"), PathBuf::from);
    ensure!(path.is_file(), "no {}: run `make test-kexec`", path.display());
    Ok(path)
}

/// Returns the ext4 image builder.
pub fn mke2fs() -> PathBuf {
    setting("MKE2FS").unwrap_or_else(|| "/sbin/mke2fs".to_owned()).into()
}

/// `limit`, longer by the factor in `QEMU_TIMEOUT_SCALE` on machines that are slow.
pub fn scaled(limit: Duration) -> Result<Duration> {
    let Some(scale) = setting("QEMU_TIMEOUT_SCALE") else { return Ok(limit) };
    let factor: f64 = scale.parse().with_context(|| format!("QEMU_TIMEOUT_SCALE={scale}"))?;
    ensure!((0.1..=1000.0).contains(&factor), "QEMU_TIMEOUT_SCALE={scale} is out of 0.1 to 1000");
    Ok(limit.mul_f64(factor))
}

/// First line of a tool's version, to tell fixtures of different tools apart.
pub fn version(tool: impl AsRef<OsStr>) -> Result<String> {
    let tool = tool.as_ref();
    // mke2fs knows `-V` only, and writes it to its standard error.
    let flag = if tool.to_string_lossy().ends_with("mke2fs") { "-V" } else { "--version" };
    let output = Command::new(tool)
        .arg(flag)
        .output()
        .with_context(|| format!("cannot run {}: is it installed?", tool.to_string_lossy()))?;
    let text = if output.stdout.is_empty() { output.stderr } else { output.stdout };
    Ok(String::from_utf8_lossy(&text).lines().next().unwrap_or_default().to_owned())
}

/// Runs a command that is expected to succeed, and returns what it printed.
pub fn run(command: &mut Command) -> Result<Vec<u8>> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command
        .output()
        .with_context(|| format!("cannot run {name}: is it installed? (`make setup` does)"))?;
    if !output.status.success() {
        let words = String::from_utf8_lossy(&output.stderr).into_owned();
        bail!("{name} failed ({}): {}", output.status, words.trim());
    }
    Ok(output.stdout)
}

/// Returns a variable of the environment, of `build/tools.env` or of the machine's own; empty counts as unset.
fn setting(name: &str) -> Option<String> {
    let in_file = |file: &str| {
        let text = fs::read_to_string(build_dir().join(file)).ok()?;
        let value =
            text.lines().rev().find_map(|line| line.strip_prefix(name)?.strip_prefix('='))?;
        Some(value.trim_matches(['"', '\'']).to_owned())
    };
    let in_file =
        || in_file("tools.env").or_else(|| in_file(&format!("tools-{}.env", target().name)));
    env::var(name).ok().filter(|value| !value.is_empty()).or_else(in_file).filter(|v| !v.is_empty())
}
