// SPDX-License-Identifier: GPL-2.0-only
//! Boot scenarios for initoverlayfs.
//!
//! A test builds its images ([`fixtures`]), boots them ([`machine`]) and looks at what the probe, the
//! guest's init, sent over a serial port of its own ([`report`], [`summary`]). The console is read for
//! signs of trouble only ([`console`]): no scenario passes because of a line in a log alone.
//!
//! Not tests: where the time to `/init` goes ([`profile`]), what loading an initrd adds to it ([`loading`]),
//! and the least memory for a boot ([`least`]).

pub mod console;
pub mod difference;
pub mod emulator;
pub mod ending;
mod firmware;
pub mod fixtures;
pub mod hostile;
pub mod kexec;
pub mod least;
pub mod loading;
pub mod machine;
pub mod profile;
pub mod publish;
pub mod report;
pub mod scenario;
pub mod summary;
pub mod target;
pub mod tools;
pub mod tpm;
