// SPDX-License-Identifier: GPL-2.0-only

//! `run-init` and `switch_root` for an initial root that is no tmpfs.
//!
//! klibc's, busybox's and toybox's programs empty the initial root, and so insist that it is a ramfs
//! or a tmpfs; util-linux's leaves it in memory. This one moves it aside with `pivot_root()` and
//! detaches it: what nobody uses any more, the kernel gives back. It takes the arguments of the
//! program whose name it is called by:
//!
//!     run-init [-d CAPABILITIES] [-n] [-p] [-c CONSOLE] NEWROOT INIT [ARGUMENT...]
//!     switch_root [-c CONSOLE] [-h] NEWROOT INIT [ARGUMENT...]
//!
//! Like them, it exits with 1 if it can do nothing, and never returns if it can.
//!
//! Neither a C library nor memory from the system is needed, so that one source makes a program of some
//! tens of KiB for each machine.

#![no_std]

pub mod arguments;
pub mod capabilities;
pub mod console;
pub mod failure;
pub mod root;
