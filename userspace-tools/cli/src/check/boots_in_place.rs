// SPDX-License-Identifier: GPL-2.0-only

//! `initoverlayfs check`: will this kernel boot this initrd?

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::Args;
use initoverlayfs_image::tree::Tree;
use serde::Serialize;

use crate::check::kernel::{self, Attributes, Kernel};
use crate::describe::description::Boot;
use crate::describe::examine;
use crate::terminal::streams;
use crate::Verdict;

/// Check whether a kernel will boot an initrd in place; exit status 1 if not.
#[derive(Args)]
pub struct Arguments {
    /// An initrd; `-` for standard input
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The kernel's configuration, for instance /boot/config-VERSION, or `none`; else the running kernel's
    #[arg(long, value_name = "CONFIG")]
    kernel_config: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Findings, as `--json` prints them.
#[derive(Default, Serialize)]
struct Checked {
    /// The configuration by which the kernel was judged; nothing if none was looked at.
    kernel_config: Option<PathBuf>,
    /// Set if it boots in place.
    boots_in_place: bool,
    /// Why it does not.
    problems: Vec<String>,
    /// Texts about behaviour that may surprise.
    warnings: Vec<String>,
}

pub fn run(arguments: &Arguments) -> Result<Verdict> {
    let (kernel_config, text) = configuration(arguments.kernel_config.as_deref())?.unzip();
    let kernel = text.as_deref().map(Kernel::of);
    let initrds = streams::read_initrds(&arguments.file)?;
    let mut found = Vec::new();
    for (name, initrd) in &initrds {
        let checked = examine(initrd.bytes(), kernel.as_ref());
        found.push((name, checked.with_context(|| name.clone())?));
    }
    let boots_in_place = found.iter().all(|(_, checked)| checked.boots_in_place);
    let verdict = if boots_in_place {
        Verdict::Good
    } else {
        Verdict::Bad
    };
    if arguments.json {
        // With several initrds, each text begins with the initrd's name.
        let words = |name: &str, word: String| match initrds.len() {
            1 => word,
            _ => format!("{name}: {word}"),
        };
        let mut all = Checked {
            kernel_config,
            boots_in_place,
            ..Checked::default()
        };
        for (name, checked) in found {
            let (problems, warnings) = (checked.problems, checked.warnings);
            all.problems
                .extend(problems.into_iter().map(|word| words(name, word)));
            all.warnings
                .extend(warnings.into_iter().map(|word| words(name, word)));
        }
        streams::print_json(&all)?;
        return Ok(verdict);
    }
    let mut out = io::stdout().lock();
    for (name, checked) in found {
        for problem in &checked.problems {
            writeln!(out, "{name}: {problem}")?;
        }
        for warning in &checked.warnings {
            writeln!(out, "{name}: warning: {warning}")?;
        }
        if checked.boots_in_place {
            writeln!(out, "{name}: boots in place")?;
        }
    }
    Ok(verdict)
}

/// Reads the configuration that the user has named, or the running kernel's, and says where that was found.
fn configuration(named: Option<&Path>) -> Result<Option<(PathBuf, String)>> {
    if let Some(path) = named {
        if path == Path::new("none") {
            return Ok(None);
        }
        let text = kernel::configuration(path).with_context(|| path.display().to_string())?;
        return Ok(Some((path.to_owned(), text)));
    }
    let found = kernel::running();
    match &found {
        Some((path, _)) => eprintln!(
            "initoverlayfs: judging the running kernel by {}: --kernel-config names another",
            path.display()
        ),
        None => eprintln!(
            "initoverlayfs: no configuration of the running kernel was found, so the kernel is not \
             judged: --kernel-config names one"
        ),
    }
    Ok(found)
}

/// Returns which extended attributes the files of a tree have.
fn attributes(tree: &Tree) -> Attributes {
    let mut found = Attributes::default();
    for name in tree.iter().flat_map(|(_, id)| tree.inode(id).xattrs.keys()) {
        found.any = true;
        found.security |= name.starts_with(b"security.");
    }
    found
}

/// Finds out whether an initrd boots in place, with this kernel if there is one.
fn examine(initrd: &[u8], kernel: Option<&Kernel<'_>>) -> Result<Checked> {
    let opened = examine::open(initrd)?;
    if let Some(obstacle) = opened.obstacle {
        return Err(obstacle.into());
    }
    let mut problems = opened.view.problems.clone();
    if opened.view.boot == Boot::Stock {
        problems.push("it holds no image, so the kernel unpacks it like any initramfs: make an image with `initoverlayfs convert`".into());
    }
    if let Some(kernel) = kernel {
        let attributes = opened.tree.as_ref().map(attributes).unwrap_or_default();
        problems.extend(kernel.problems(&opened.view, attributes));
    }
    Ok(Checked {
        boots_in_place: problems.is_empty(),
        problems,
        warnings: opened.view.warnings,
        kernel_config: None,
    })
}
