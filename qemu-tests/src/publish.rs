// SPDX-License-Identifier: GPL-2.0-only
//! Figures that are committed with the sources: sections of the README and of `Documentation/benchmark.rst`, and
//! the files in `Documentation/bench`.

use std::fmt::Write;
use std::fs;
use std::path::PathBuf;

use anyhow::{ensure, Context, Result};

use crate::tools;

/// Replaces a section of the README, between `<!-- NAME: begin -->` and `<!-- NAME: end -->`.
pub fn readme(name: &str, text: &str) -> Result<()> {
    let marks = (format!("<!-- {name}: begin -->\n"), format!("<!-- {name}: end -->\n"));
    replace("README.md", &marks, text)
}

/// Replaces a section of `Documentation/benchmark.rst`, between the comments `.. NAME: begin` and `.. NAME: end`.
/// The text is Markdown.
pub fn section(name: &str, markdown: &str) -> Result<()> {
    let marks = (format!(".. {name}: begin\n\n"), format!(".. {name}: end\n"));
    replace("Documentation/benchmark.rst", &marks, &rst(markdown)?)
}

/// Returns whether `Documentation/benchmark.rst` has this section.
pub fn has_section(name: &str) -> bool {
    let text = fs::read_to_string(tools::project_dir().join("Documentation/benchmark.rst"));
    text.is_ok_and(|text| text.contains(&format!("\n.. {name}: begin\n")))
}

/// Returns the directory of the files that the documents show.
pub fn directory() -> Result<PathBuf> {
    let directory = tools::project_dir().join("Documentation/bench");
    fs::create_dir_all(&directory)?;
    Ok(directory)
}

fn replace(file: &str, marks: &(String, String), text: &str) -> Result<()> {
    let path = tools::project_dir().join(file);
    let old = fs::read_to_string(&path)?;
    fs::write(&path, replaced(&old, marks, text).with_context(|| file.to_owned())?)?;
    Ok(())
}

/// Returns the text with another section.
fn replaced(old: &str, (begin, end): &(String, String), text: &str) -> Result<String> {
    let missing = || format!("there is no section from {:?} on", begin.trim());
    let (before, rest) = old.split_once(begin).with_context(missing)?;
    let (_, after) = rest.split_once(end).with_context(missing)?;
    ensure!(!text.contains(end), "the text holds the section's own end");
    Ok(format!("{before}{begin}{text}{end}{after}"))
}

/// Returns paragraphs, lists, tables and images as reStructuredText.
fn rst(markdown: &str) -> Result<String> {
    let mut out = String::new();
    let mut lines = markdown.lines().peekable();
    while let Some(line) = lines.next() {
        if let Some(image) = line.strip_prefix("![") {
            let (title, file) = image.split_once("](").context("an image without a file")?;
            let file = file.trim_end_matches(')').trim_start_matches("Documentation/");
            writeln!(out, ".. image:: {file}\n   :alt: {title}\n")?;
        } else if line.starts_with('|') {
            writeln!(out, ".. csv-table::\n   :header: {}\n", cells(line))?;
            // What Markdown has between the head and the rest.
            lines.next();
            while let Some(row) = lines.next_if(|line| line.starts_with('|')) {
                writeln!(out, "   {}", cells(row))?;
            }
            writeln!(out)?;
        } else {
            writeln!(out, "{}", line.replace('`', "``"))?;
        }
    }
    Ok(out.trim_end().to_owned() + "\n\n")
}

/// Returns the cells of a row, quoted.
fn cells(row: &str) -> String {
    let cells = row.trim_matches(['|', ' ']).split('|').map(str::trim);
    let quoted = cells.map(|cell| format!("\"{}\"", cell.replace('`', "``")));
    quoted.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_section_is_replaced_and_nothing_else() -> Result<()> {
        let marks = ("<!-- x: begin -->\n".to_owned(), "<!-- x: end -->\n".to_owned());
        let old = "a\n<!-- x: begin -->\nold\n<!-- x: end -->\nb\n";
        let new = "a\n<!-- x: begin -->\nnew\n<!-- x: end -->\nb\n";
        assert_eq!(replaced(old, &marks, "new\n")?, new);
        assert!(replaced("a\n", &marks, "new\n").is_err());
        Ok(())
    }

    #[test]
    fn tables_and_images_become_directives() -> Result<()> {
        let markdown = "From `a` on.\n\n| x | `y` |\n|---|--:|\n| **b** | 1, 2 |\n| | |\n\n![t](Documentation/bench/t.svg)\n";
        let expected = "From ``a`` on.\n\n.. csv-table::\n   :header: \"x\", \"``y``\"\n\n   \"**b**\", \"1, 2\"\n   \"\"\n\n\n.. image:: bench/t.svg\n   :alt: t\n\n";
        assert_eq!(rst(markdown)?, expected);
        Ok(())
    }
}
