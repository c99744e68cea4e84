// SPDX-License-Identifier: GPL-2.0-only

//! `run-init` and `switch_root` for an initial root that is no tmpfs.
//!
//! klibc's, busybox's and toybox's programs empty the initial root, and so insist that it is a ramfs
//! or a tmpfs; util-linux's leaves it in memory. This one moves it aside with `pivot_root()` and
//! detaches it: what nobody uses any more, the kernel gives back. It takes the arguments of the
//! program whose name it is called by:
//!
//!     run-init [-d CAPABILITIES] [-n] [-p] [-c CONSOLE] NEWROOT INIT [ARGUMENT...]
//!     switch_root [-c CONSOLE] NEWROOT INIT [ARGUMENT...]
//!
//! Like them, it exits with 1 if it can do nothing, and never returns if it can.

mod arguments;
mod capabilities;
mod console;
mod root;

use std::convert::Infallible;
use std::env;
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};

use arguments::{Arguments, Personality};

/// A result whose error is a message.
type Result<T> = std::result::Result<T, String>;

fn run() -> Result<Option<Infallible>> {
    let arguments = Arguments::parse(env::args_os())?;
    root::check(&arguments)?;
    if arguments.is_dry_run {
        return Ok(None);
    }
    if arguments.personality == Personality::SwitchRoot {
        root::move_mounts(&arguments.new_root);
    }
    root::switch(&arguments.new_root)?;
    capabilities::drop_all(&arguments.dropped)?;
    if let Some(path) = &arguments.console {
        console::open(path)?;
    }
    let error = Command::new(&arguments.init)
        .args(&arguments.init_arguments)
        .exec();
    Err(format!(
        "cannot execute {}: {error}",
        arguments.init.display()
    ))
}

fn main() -> ExitCode {
    match run() {
        Ok(_) => ExitCode::SUCCESS,
        Err(message) => {
            // The name is how the command recognises this program in an image.
            eprintln!("initoverlayfs-handover: {message}");
            ExitCode::FAILURE
        }
    }
}
