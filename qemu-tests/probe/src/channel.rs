// SPDX-License-Identifier: GPL-2.0-only
//! The way to the host: lines of `key value` on the second serial port.

use std::fmt::Display;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};

use anyhow::{Context, Result};
use rustix::fs::{Dev, FileType, Mode, CWD};
use rustix::mount::{MountFlags, UnmountFlags};
use rustix::termios::OptionalActions;

/// Set if the result port is the first of its kind. On arm64, the console is of another kind.
const IS_FIRST: bool = cfg!(target_arch = "aarch64");
/// The port in devtmpfs.
pub const PORT: &str = if IS_FIRST { "/dev/ttyS0" } else { "/dev/ttyS1" };
/// The device number, for roots without devtmpfs.
const PORT_DEVICE: (u32, u32) = (4, if IS_FIRST { 64 } else { 65 });
/// An image directory that can be covered for a moment to make a device node.
const SCRATCH: &str = "/tmp";

/// The open result channel.
pub struct Channel {
    port: File,
}

impl Channel {
    /// Opens the port, by a node of its own if `/dev` has none, and makes it transparent.
    pub fn open() -> Result<Self> {
        let port = match open_node(PORT) {
            Ok(port) => port,
            Err(_) => {
                open_own_node().context("no second serial port, and cannot make a node for it")?
            }
        };
        let mut modes = rustix::termios::tcgetattr(&port).context("result port is no terminal")?;
        modes.make_raw();
        rustix::termios::tcsetattr(&port, OptionalActions::Now, &modes)?;
        Ok(Self { port })
    }

    /// Sends one fact. Line breaks in the value become spaces.
    pub fn say(&mut self, key: &str, value: impl Display) -> io::Result<()> {
        let line = format!("{key} {value}").replace(['\n', '\r'], " ") + "\n";
        self.port.write_all(line.as_bytes())
    }

    /// Waits until the port has swallowed what was sent.
    pub fn drain(&self) -> io::Result<()> {
        Ok(rustix::termios::tcdrain(&self.port)?)
    }

    /// Sends the verdict, the last line there is, and waits until the port has swallowed it.
    pub fn finish(mut self, verdict: impl Display) -> io::Result<()> {
        self.say("end", verdict)?;
        self.drain()
    }
}

/// Opens a port node for writing.
fn open_node(path: &str) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).open(path)
}

/// Opens the port through a node on a tmpfs that is gone again when this returns.
fn open_own_node() -> Result<File> {
    rustix::mount::mount("probe", SCRATCH, "tmpfs", MountFlags::empty(), None)?;
    let path = format!("{SCRATCH}/port");
    let (major, minor) = PORT_DEVICE;
    let device: Dev = rustix::fs::makedev(major, minor);
    let mode = Mode::RUSR | Mode::WUSR;
    rustix::fs::mknodat(CWD, &path, FileType::CharacterDevice, mode, device)?;
    let port = open_node(&path)?;
    rustix::mount::unmount(SCRATCH, UnmountFlags::DETACH)?;
    Ok(port)
}
