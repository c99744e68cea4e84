// SPDX-License-Identifier: GPL-2.0-only

//! `initoverlayfs`: builds, converts, inspects and signs initrds that the kernel mounts in place.
//!
//! Exit status: 0 done; 1 a check failed, or two images differ; 2 an error.

mod check;
mod convert;
mod create;
mod debugfs;
mod digest;
mod extract;
mod format;
mod holders;
mod inspect;
mod listing;
mod making;
mod manual;
mod options;
mod pages;
mod pkcs11;
mod pkcs7;
mod quick;
mod room;
mod sealing;
mod sizes;
mod source;
mod stats;
mod streams;
mod summary;
mod trees;
mod verify;
mod view;
mod warnings;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};
use initoverlayfs_image::{children, temporary};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

/// Builds, converts, inspects and signs initrds that the kernel mounts in place.
#[derive(Parser)]
#[command(version, max_term_width = 100, after_help = EXIT_STATUS)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

const EXIT_STATUS: &str =
    "Exit status: 0 done; 1 a check failed, or two images differ; 2 an error.";

#[derive(Subcommand)]
enum Command {
    Convert(convert::Arguments),
    Create(create::Arguments),
    Inspect(inspect::Arguments),
    Ls(listing::Arguments),
    Cat(extract::CatArguments),
    Extract(extract::Arguments),
    Diff(listing::DiffArguments),
    Check(check::Arguments),
    Seal(sealing::SealArguments),
    Sign(sealing::SignArguments),
    Digest(digest::Arguments),
    Verify(verify::Arguments),
    Stats(stats::Arguments),
    #[command(hide = true)]
    Manual(manual::Arguments),
}

/// How a command ended that ended without an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Good,
    Bad,
}

fn run(command: Command) -> Result<Verdict> {
    match command {
        Command::Convert(arguments) => convert::run(&arguments),
        Command::Create(arguments) => create::run(&arguments),
        Command::Inspect(arguments) => inspect::run(&arguments),
        Command::Ls(arguments) => listing::run(&arguments),
        Command::Cat(arguments) => extract::cat(&arguments),
        Command::Extract(arguments) => extract::run(&arguments),
        Command::Diff(arguments) => listing::diff(&arguments),
        Command::Check(arguments) => check::run(&arguments),
        Command::Seal(arguments) => sealing::seal(&arguments),
        Command::Sign(arguments) => sealing::sign(&arguments),
        Command::Digest(arguments) => digest::run(&arguments),
        Command::Verify(arguments) => verify::run(&arguments),
        Command::Stats(arguments) => stats::run(&arguments),
        Command::Manual(arguments) => manual::run(&arguments),
    }
}

/// Has a signal that ends the program end its children and remove its temporary files first.
fn clean_up_on_signals() {
    let Ok(mut signals) = Signals::new([SIGINT, SIGTERM, SIGHUP]) else {
        return;
    };
    std::thread::spawn(move || {
        if let Some(signal) = signals.forever().next() {
            // First those who write the files.
            children::end_all();
            temporary::remove_all();
            let _ = signal_hook::low_level::emulate_default_handler(signal);
        }
    });
}

fn main() -> ExitCode {
    clean_up_on_signals();
    match run(Arguments::parse().command) {
        Ok(Verdict::Good) => ExitCode::SUCCESS,
        Ok(Verdict::Bad) => ExitCode::from(1),
        Err(error) => {
            // Whoever closed the pipe wants to hear no more.
            let is_pipe = error.chain().any(|cause| {
                let json = cause.downcast_ref::<serde_json::Error>();
                let kind = json.and_then(serde_json::Error::io_error_kind);
                let cause = cause.downcast_ref::<std::io::Error>();
                kind.or(cause.map(std::io::Error::kind)) == Some(std::io::ErrorKind::BrokenPipe)
            });
            if !is_pipe {
                eprintln!("initoverlayfs: {error:#}");
            }
            ExitCode::from(2)
        }
    }
}
