// SPDX-License-Identifier: GPL-2.0-only
//! What any init finds: who it is, what is mounted, what is open, what else runs.

use std::fs;
use std::io::{ErrorKind, Read};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::OpenOptionsExt;

use anyhow::{Context, Result};
use rustix::fs::OFlags;

use crate::channel::Channel;

/// `PF_KTHREAD` in the ninth field of `/proc/PID/stat`.
const KERNEL_THREAD: u64 = 0x0020_0000;

/// Sends the facts about this process.
pub fn identity(channel: &mut Channel) -> Result<()> {
    channel.say("pid", rustix::process::getpid().as_raw_nonzero())?;
    channel.say("uid", rustix::process::getuid().as_raw())?;
    channel.say("argv0", std::env::args().next().unwrap_or_default())?;
    channel.say("exe", fs::read_link("/proc/self/exe")?.display())?;
    channel.say("cwd", std::env::current_dir()?.display())?;
    channel.say("cmdline", fs::read_to_string("/proc/cmdline")?.trim())?;
    Ok(())
}

/// Sends `fd N MAJOR:MINOR PATH` for each of the first three descriptors that is open.
///
/// The Rust runtime opens `/dev/null` where one is closed, so that shows as device 1:3.
pub fn descriptors(channel: &mut Channel) -> Result<()> {
    let (stdin, stdout, stderr) = (std::io::stdin(), std::io::stdout(), std::io::stderr());
    let all: [BorrowedFd<'_>; 3] = [stdin.as_fd(), stdout.as_fd(), stderr.as_fd()];
    for (number, fd) in all.into_iter().enumerate() {
        let Ok(stat) = rustix::fs::fstat(fd) else { continue };
        let (major, minor) = (rustix::fs::major(stat.st_rdev), rustix::fs::minor(stat.st_rdev));
        let path = fs::read_link(format!("/proc/self/fd/{number}"))?;
        channel.say("fd", format!("{number} {major}:{minor} {}", path.display()))?;
    }
    Ok(())
}

/// Sends the mounts, the root's file system type and size, and the names in the root directory.
pub fn root(channel: &mut Channel) -> Result<()> {
    for line in fs::read_to_string("/proc/mounts")?.lines() {
        channel.say("mount", line)?;
    }
    let stat = rustix::fs::statfs("/").context("statfs of /")?;
    channel.say("root.magic", format!("{:x}", stat.f_type))?;
    channel.say("root.size", stat.f_blocks * u64::try_from(stat.f_bsize)?)?;
    channel.say("root.inodes", stat.f_files)?;
    let mut names = Vec::new();
    for entry in fs::read_dir("/").context("cannot list /")? {
        names.push(entry?.file_name());
    }
    names.sort();
    for name in names {
        channel.say("root.name", name.to_string_lossy())?;
    }
    Ok(())
}

/// Sends every process that is not a kernel thread, and every block device.
pub fn company(channel: &mut Channel) -> Result<()> {
    for entry in fs::read_dir("/proc")? {
        let name = entry?.file_name();
        let Some(pid) = name.to_str().and_then(|name| name.parse::<u32>().ok()) else { continue };
        let Ok(stat) = fs::read_to_string(format!("/proc/{pid}/stat")) else { continue };
        // The name, in parentheses, may hold spaces; what follows does not.
        let Some((head, fields)) = stat.rsplit_once(") ") else { continue };
        let flags = fields.split(' ').nth(6).and_then(|field| field.parse::<u64>().ok());
        if flags.is_none_or(|flags| flags & KERNEL_THREAD == 0) {
            channel.say("process", head)?;
        }
    }
    let partitions = fs::read_to_string("/proc/partitions").unwrap_or_default();
    for line in partitions.lines().skip(2) {
        channel.say("block", line.split_whitespace().last().unwrap_or_default())?;
    }
    Ok(())
}

/// Sends the module's lines from the kernel log, as `kmsg LEVEL TEXT`.
pub fn kernel_log(channel: &mut Channel) -> Result<()> {
    let nonblocking = i32::try_from(OFlags::NONBLOCK.bits())?;
    let open = fs::OpenOptions::new().read(true).custom_flags(nonblocking).open("/dev/kmsg");
    let Ok(mut log) = open else {
        channel.say("kmsg.missing", "no /dev/kmsg")?;
        return Ok(());
    };
    let mut record = vec![0; 8192];
    loop {
        let length = match log.read(&mut record) {
            Ok(length) => length,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
            // The oldest records were overwritten meanwhile: go on with the next.
            Err(error) if error.kind() == ErrorKind::BrokenPipe => continue,
            Err(error) => return Err(error).context("reading /dev/kmsg"),
        };
        let text = String::from_utf8_lossy(record.get(..length).unwrap_or_default()).into_owned();
        let Some((prefix, text)) = text.split_once(';') else { continue };
        let level = prefix.split(',').next().and_then(|n| n.parse::<u32>().ok()).unwrap_or(0) & 7;
        let text = text.lines().next().unwrap_or_default();
        if text.starts_with("initoverlayfs: ") {
            channel.say("kmsg", format!("{level} {text}"))?;
        }
        // The time stamp, in microseconds, is the third number.
        if let (true, Some(time)) = (text.starts_with("Run /"), prefix.split(',').nth(2)) {
            channel.say("ran", time)?;
        }
    }
}
