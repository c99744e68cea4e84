// SPDX-License-Identifier: GPL-2.0-only

//! `initoverlayfs`: builds, converts, inspects and signs initrds that the kernel mounts in place.
//!
//! Exit status: 0 done; 1 a check failed, or two images differ; 2 an error.

mod authenticate;
mod check;
mod describe;
mod look;
mod make;
mod manual;
mod measure;
mod terminal;

use std::process::ExitCode;

use anyhow::Result;
use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};
use initoverlayfs_image::{child_processes, temporary};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::authenticate::{digest, seal_and_sign, verify};
use crate::check::{boots_in_place, status};
use crate::look::{extract, inspect, list};
use crate::make::{convert, create};
use crate::manual::generate;
use crate::measure::stats;
use crate::terminal::summary::plain;

/// Builds, converts, inspects and signs initrds that the kernel mounts in place.
#[derive(Parser)]
#[command(version, max_term_width = 100, after_help = EXIT_STATUS)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

const EXIT_STATUS: &str =
    "Exit status: 0 done; 1 a check failed, or two images differ; 2 an error.";

/// Commands as `--help` groups them.
const GROUPS: [(&str, &[&str]); 5] = [
    ("Make", &["convert", "create"]),
    ("Look", &["inspect", "ls", "cat", "extract", "diff"]),
    ("Check", &["check", "status"]),
    ("Authenticate", &["seal", "sign", "digest", "verify"]),
    ("Measure", &["stats"]),
];

/// Returns the definition of all arguments, with a help text that groups the commands.
fn definition() -> clap::Command {
    let command = Arguments::command();
    let mut groups = String::new();
    for (title, names) in GROUPS {
        groups += &format!("{title}:\n");
        for name in names {
            let about = command
                .find_subcommand(name)
                .and_then(clap::Command::get_about);
            let about = about.map(ToString::to_string).unwrap_or_default();
            groups += &format!("  {name:8} {about}\n");
        }
        groups.push('\n');
    }
    command.help_template(format!(
        "{{about-with-newline}}\n{{usage-heading}} {{usage}}\n\n{groups}Options:\n{{options}}{{after-help}}"
    ))
}

#[derive(Subcommand)]
enum Command {
    Convert(convert::Arguments),
    Create(create::Arguments),
    Inspect(inspect::Arguments),
    Ls(list::Arguments),
    Cat(extract::CatArguments),
    Extract(extract::Arguments),
    Diff(list::DiffArguments),
    Check(boots_in_place::Arguments),
    Status(status::Arguments),
    Seal(seal_and_sign::SealArguments),
    Sign(seal_and_sign::SignArguments),
    Digest(digest::Arguments),
    Verify(verify::Arguments),
    Stats(stats::Arguments),
    #[command(hide = true)]
    Manual(generate::Arguments),
}

/// The outcome of a command that ended without an error.
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
        Command::Ls(arguments) => list::run(&arguments),
        Command::Cat(arguments) => extract::cat(&arguments),
        Command::Extract(arguments) => extract::run(&arguments),
        Command::Diff(arguments) => list::diff(&arguments),
        Command::Check(arguments) => boots_in_place::run(&arguments),
        Command::Status(arguments) => status::run(&arguments),
        Command::Seal(arguments) => seal_and_sign::seal(&arguments),
        Command::Sign(arguments) => seal_and_sign::sign(&arguments),
        Command::Digest(arguments) => digest::run(&arguments),
        Command::Verify(arguments) => verify::run(&arguments),
        Command::Stats(arguments) => stats::run(&arguments),
        Command::Manual(arguments) => generate::run(&arguments),
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
            child_processes::end_all();
            temporary::remove_all();
            let _ = signal_hook::low_level::emulate_default_handler(signal);
        }
    });
}

fn main() -> ExitCode {
    clean_up_on_signals();
    let matches = definition().get_matches();
    let arguments = Arguments::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    match run(arguments.command) {
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
                eprintln!("initoverlayfs: {}", plain(&format!("{error:#}")));
            }
            ExitCode::from(2)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_command_is_in_one_group() {
        let command = Arguments::command();
        let visible = command.get_subcommands().filter(|one| !one.is_hide_set());
        let mut names: Vec<&str> = visible.map(clap::Command::get_name).collect();
        let mut grouped: Vec<&str> = GROUPS
            .iter()
            .flat_map(|(_, names)| *names)
            .copied()
            .collect();
        names.sort_unstable();
        grouped.sort_unstable();
        assert_eq!(names, grouped);
    }
}
