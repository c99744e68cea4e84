// SPDX-License-Identifier: GPL-2.0-only

//! `initoverlayfs manual`: the manual pages and shell completions that `make install` puts in place.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::{Args, Command, CommandFactory};
use clap_complete::Shell;
use clap_mangen::roff::{bold, italic, roman, Roff};
use clap_mangen::Man;
use initoverlayfs_image::programs::{Program, PROGRAMS};

use crate::manual::pages::{Page, PAGES};
use crate::manual::variables::VARIABLES;
use crate::Verdict;

/// Write manual pages and shell completions.
#[derive(Args)]
pub struct Arguments {
    /// Directory to write to; it is made if it is missing
    directory: PathBuf,
}

pub fn run(arguments: &Arguments) -> Result<Verdict> {
    let directory = &arguments.directory;
    fs::create_dir_all(directory).with_context(|| directory.display().to_string())?;
    let mut command = crate::Arguments::command();
    for shell in [Shell::Bash, Shell::Fish, Shell::Zsh] {
        clap_complete::generate_to(shell, &mut command, "initoverlayfs", directory)?;
    }
    let mut command = command.disable_help_subcommand(true);
    command.build();
    for page in PAGES {
        let command = match page.command {
            "" => Some(&command),
            name => command.find_subcommand(name),
        };
        let command = command.with_context(|| format!("there is no command {}", page.command))?;
        write(command, page, directory)?;
    }
    Ok(Verdict::Good)
}

/// Writes a page into a directory.
fn write(command: &Command, page: &Page, directory: &Path) -> Result<()> {
    // It would be a section EXTRA; the sections below say the same.
    let man = Man::new(command.clone().after_help(None::<&str>))
        .source(concat!("initoverlayfs ", env!("CARGO_PKG_VERSION")))
        .manual("User Commands");
    let mut text = Vec::new();
    man.render(&mut text)?;
    let rest = rest(page).render();
    // What each rendering starts with is there already.
    let start = Roff::new().render();
    text.extend(rest.strip_prefix(&start).unwrap_or(&rest).bytes());
    let place = directory.join(man.get_filename());
    fs::write(&place, text).with_context(|| place.display().to_string())
}

/// Returns the sections that `--help` has nothing of.
fn rest(page: &Page) -> Roff {
    let mut roff = Roff::new();
    roff.control("SH", ["EXAMPLES"]);
    for (words, line) in page.examples {
        roff.control("PP", []).text([roman(*words)]);
        roff.control("RS", ["4"]).control("EX", []);
        roff.text([roman(*line)]);
        roff.control("EE", []).control("RE", []);
    }
    roff.control("SH", ["EXIT STATUS"]);
    entry(&mut roff, "0", "It is done.");
    if let Some(bad) = page.bad {
        entry(&mut roff, "1", bad);
    }
    entry(&mut roff, "2", "There was an error.");
    let is_wanted = |name: &str| page.command.is_empty() || page.environment.contains(&name);
    let variables = variables();
    let variables = variables.iter().map(|(name, words)| (*name, &**words));
    section(
        &mut roff,
        "ENVIRONMENT",
        variables.filter(|(name, _)| is_wanted(name)),
    );
    section(&mut roff, "FILES", page.files.iter().copied());
    roff.control("SH", ["SEE ALSO"]);
    let own = (!page.command.is_empty()).then_some("initoverlayfs(1)");
    let others = PAGES.iter().filter(|_| page.command.is_empty());
    let others = others.filter(|other| !other.command.is_empty());
    let others = others.map(|other| format!("initoverlayfs-{}(1)", other.command));
    let all = own.into_iter().chain(page.see_also.iter().copied());
    let all: Vec<String> = others.chain(all.map(str::to_owned)).collect();
    let mut words = Vec::new();
    for (index, name) in all.iter().enumerate() {
        let (name, number) = name.split_at(name.len() - 3);
        let end = if index + 1 == all.len() { "" } else { ", " };
        words.extend([bold(name), roman(format!("{number}{end}"))]);
    }
    roff.text(words);
    roff
}

/// Returns all variables of the environment, and what they are for.
fn variables() -> BTreeMap<&'static str, String> {
    let own = VARIABLES.iter();
    let own = own.map(|(name, words)| (*name, (*words).to_owned()));
    let programs = PROGRAMS.iter().map(|program| {
        let Program {
            name,
            package,
            variable,
        } = program;
        let words =
            format!("The {name} to call, of {package}; else the one in PATH, /usr/sbin or /sbin.");
        (*variable, words)
    });
    own.chain(programs).collect()
}

/// Writes a section of names and what they are; none without names.
fn section<'a>(
    roff: &mut Roff,
    title: &str,
    entries: impl IntoIterator<Item = (&'a str, &'a str)>,
) {
    let mut entries = entries.into_iter().peekable();
    if entries.peek().is_some() {
        roff.control("SH", [title]);
    }
    for (name, words) in entries {
        entry(roff, name, words);
    }
}

fn entry(roff: &mut Roff, name: &str, words: &str) {
    roff.control("TP", []).text([italic(name)]);
    roff.text([roman(words)]);
}
