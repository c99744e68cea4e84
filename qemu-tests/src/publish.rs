// SPDX-License-Identifier: GPL-2.0-only
//! Figures that are committed with the sources: sections of the README, and `Documentation/bench`.

use std::fs;
use std::path::PathBuf;

use anyhow::{ensure, Context, Result};

use crate::tools;

/// Replaces what is between the marks of a section of the README, `<!-- NAME: begin -->` and
/// `<!-- NAME: end -->`.
pub fn section(name: &str, text: &str) -> Result<()> {
    let path = tools::project_dir().join("README.md");
    let old = fs::read_to_string(&path)?;
    fs::write(&path, replaced(&old, name, text)?)?;
    Ok(())
}

/// Where the files are that the README shows or links.
pub fn directory() -> Result<PathBuf> {
    let directory = tools::project_dir().join("Documentation/bench");
    fs::create_dir_all(&directory)?;
    Ok(directory)
}

/// The text with another section.
fn replaced(old: &str, name: &str, text: &str) -> Result<String> {
    let (begin, end) = (format!("<!-- {name}: begin -->\n"), format!("<!-- {name}: end -->\n"));
    let missing = || format!("the README has no section {name}");
    let (before, rest) = old.split_once(&begin).with_context(missing)?;
    let (_, after) = rest.split_once(&end).with_context(missing)?;
    ensure!(!text.contains(&end), "the text holds the section's own end");
    Ok(format!("{before}{begin}{text}{end}{after}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_section_is_replaced_and_nothing_else() -> Result<()> {
        let old = "a\n<!-- x: begin -->\nold\n<!-- x: end -->\nb\n";
        let new = "a\n<!-- x: begin -->\nnew\n<!-- x: end -->\nb\n";
        assert_eq!(replaced(old, "x", "new\n")?, new);
        assert!(replaced(old, "y", "new\n").is_err());
        Ok(())
    }
}
