// SPDX-License-Identifier: GPL-2.0-only
//! `initoverlayfs check` and the kernel, under `require`, judge the same initrds, and agree.

use std::io::Write;
use std::process::{Command, Stdio};

use anyhow::{ensure, Context, Result};
use qemu_tests::fixtures::archive::{newc, Style};
use qemu_tests::fixtures::command::check;
use qemu_tests::fixtures::erofs;
use qemu_tests::fixtures::layer::Layer;
use qemu_tests::fixtures::stack::base;
use qemu_tests::machine::Machine;
use qemu_tests::scenario::bunzip2_is_reported;

/// Returns an archive of one file with some text.
fn archive() -> Vec<u8> {
    let text: String = (0..5000).map(|number: u32| format!("{number} ")).collect();
    let mut archive = newc(&Layer::new().file("extra", 0o644, text), Style::default());
    archive.resize(archive.len().next_multiple_of(512), 0);
    archive
}

/// Sends bytes through a program.
fn through(program: &str, bytes: &[u8]) -> Result<Vec<u8>> {
    let mut words = program.split(' ');
    let mut command = Command::new(words.next().context("no program")?);
    command.args(words).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().with_context(|| format!("cannot run {program}"))?;
    let mut input = child.stdin.take().context("no pipe")?;
    let bytes = bytes.to_vec();
    let writer = std::thread::spawn(move || input.write_all(&bytes));
    let output = child.wait_with_output()?;
    writer.join().ok().context("the writer")??;
    ensure!(output.status.success(), "{program} failed");
    Ok(output.stdout)
}

/// Returns the archive by gzip, with this field in the header.
fn gzip_with(flag: u8, field: &[u8]) -> Result<Vec<u8>> {
    let mut bytes = through("gzip -nc", &archive())?;
    bytes[3] |= flag;
    bytes.splice(10..10, field.iter().copied());
    Ok(bytes)
}

/// Returns whether an initrd boots in place, and why not.
fn boots(initrd: Vec<u8>) -> Result<(bool, String)> {
    let machine = Machine::new().initrd_bytes(initrd).append("initoverlayfs=require").quiet();
    let (report, console) = machine.run_to_any_end()?;
    let panic = console.panic().unwrap_or_default().to_owned();
    ensure!(report.is_some() || panic.contains("initoverlayfs: "), "{panic} {console}");
    Ok((report.is_some(), panic))
}

/// Has both judge an initrd; returns the verdict.
fn judge(name: &str, initrd: Vec<u8>) -> Result<bool> {
    let (says, words) = check(&initrd)?;
    let (does, panic) = boots(initrd).with_context(|| name.to_owned())?;
    ensure!(says == does, "{name}: check says {says}: {words}, the kernel does {does}: {panic}");
    Ok(says)
}

/// Returns the usual image, with this behind it.
fn beside_image(archive: &[u8]) -> Result<Vec<u8>> {
    Ok([&erofs::of_layer(&base()?, &[])?, archive].concat())
}

/// Archives as compressors write them with one option or another.
#[test]
fn verdicts_on_compressed_archives_agree() -> Result<()> {
    let mut good = 0;
    let mut programs = vec![
        "cat",
        "gzip -nc",
        "gzip -c -1",
        "bzip2 -c",
        "bzip2 -c -1",
        "lzma -c",
        "xz -c --check=none",
        "xz -c --check=crc32",
        "xz -c --check=crc64",
        "xz -c --check=sha256",
        "xz -c --check=crc32 --x86 --lzma2=dict=1MiB",
        "xz -c --check=crc32 --delta --lzma2=dict=1MiB",
        "xz -c --check=crc32 --block-size=4096",
        "lzop -c",
        "lz4 -lc",
        "lz4 -c",
        "zstd -qc -19",
        "zstd -qc --no-check",
        "zstd -qc --ultra --long=27 -20",
        "zstd -qc --long=28 --single-thread",
    ];
    if bunzip2_is_reported()? {
        programs.retain(|program| !program.starts_with("bzip2"));
    }
    for program in &programs {
        good += usize::from(judge(program, beside_image(&through(program, &archive())?)?)?);
    }
    ensure!((10..programs.len()).contains(&good), "{good} of {} boot", programs.len());
    Ok(())
}

/// Headers of gzip that other tools write.
#[test]
fn verdicts_on_headers_of_gzip_agree() -> Result<()> {
    let extra = [&4_u16.to_le_bytes()[..], b"abcd"].concat();
    for (name, flag, field, boots) in [
        ("name", 8, &b"initramfs\0"[..], true),
        ("text", 1, b"", true),
        ("extra field", 4, &extra, false),
        ("comment", 16, b"a comment\0", false),
        ("checksum", 2, b"\0\0", false),
    ] {
        let verdict = judge(name, beside_image(&gzip_with(flag, field)?)?)?;
        ensure!(verdict == boots || name == "checksum", "{name}: {verdict}");
    }
    Ok(())
}

/// Archives and images that break off, or have something else behind them.
#[test]
fn verdicts_on_damage_agree() -> Result<()> {
    let plain = archive();
    for program in ["cat", "gzip -nc", "xz -c --check=crc32", "zstd -qc"] {
        let whole = through(program, &plain)?;
        let (half, twice) = (&whole[..whole.len() / 2], [&whole[..], &whole].concat());
        for (name, bytes) in [
            ("half", half.to_vec()),
            ("twice", twice),
            ("with junk", [&whole[..], b"junk"].concat()),
            ("at an odd place", [&[0; 3][..], &whole].concat()),
        ] {
            judge(&format!("{program}, {name}"), beside_image(&bytes)?)?;
        }
    }
    let image = erofs::of_layer(&base()?, &[])?;
    for cut in [1025, 4096, image.len() / 2, image.len() - 4096] {
        judge(&format!("an image of {cut} bytes"), image[..cut].to_vec())?;
    }
    Ok(())
}
