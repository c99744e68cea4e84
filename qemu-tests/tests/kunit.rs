// SPDX-License-Identifier: GPL-2.0-only
//! The project's KUnit suites, run by the kernel at boot; their source says what has to run.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{ensure, Result};
use qemu_tests::fixtures::disk;
use qemu_tests::machine::Machine;

/// Where the suites are.
const SOURCES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../rust/kunit");

/// Names of the suites in the source, with their numbers of tests. A file has one suite at most.
fn written() -> Result<BTreeMap<String, usize>> {
    let mut suites = BTreeMap::new();
    for file in fs::read_dir(Path::new(SOURCES))? {
        let text = fs::read_to_string(file?.path())?;
        let lines = text.lines().map(str::trim);
        let name =
            |line: &str| Some(line.strip_prefix("#[kunit_tests(")?.split(')').next()?.to_owned());
        let names: Vec<String> = lines.clone().filter_map(name).collect();
        ensure!(names.len() < 2, "{names:?} are in one file: which has which tests?");
        let tests = lines.filter(|line| *line == "#[test]").count();
        suites.extend(names.into_iter().map(|name| (name, tests)));
    }
    Ok(suites)
}

/// Suites with their numbers of passes, from the lines of the log that are KTAP; an error if a test
/// failed or was skipped.
fn passed(log: &str) -> Result<BTreeMap<String, usize>> {
    let mut suites = BTreeMap::new();
    let mut passes = 0;
    for line in log.lines() {
        let line = line.split_once("] ").map_or(line, |(_, line)| line);
        let words: Vec<&str> = line.split_whitespace().collect();
        match words.as_slice() {
            ["not", "ok", ..] => anyhow::bail!("a test failed: {line}"),
            ["ok", _, ..] if line.contains("# SKIP") => anyhow::bail!("a test was skipped: {line}"),
            ["#", "Subtest:", _] => passes = 0,
            ["ok", _, _, ..] if line.starts_with(' ') => passes += 1,
            ["ok", _, suite, ..] => {
                suites.insert((*suite).to_owned(), passes);
            }
            _ => {}
        }
    }
    Ok(suites)
}

#[test]
fn all_suites_pass_in_the_kernel() -> Result<()> {
    let options = "kunit.enable=1 kunit.autorun=1 kunit.filter_glob=initoverlayfs*";
    let boot = Machine::new().root_disk(disk::image()?).append(options).run()?;
    let written = written()?;
    assert!(!written.is_empty(), "no suites in {SOURCES}");
    assert_eq!(passed(boot.console.text())?, written);
    Ok(())
}

#[test]
fn passes_are_counted_by_suite() -> Result<()> {
    let log = "[ 1.0]     # Subtest: a\n[ 1.0]     ok 1 x\n[ 1.0]     ok 2 y\n[ 1.0] ok 1 a\n";
    assert_eq!(passed(log)?, BTreeMap::from([("a".to_owned(), 2)]));
    assert!(passed("[ 1.0]     not ok 1 x\n").is_err());
    assert!(passed("[ 1.0]     ok 1 x # SKIP no memory\n").is_err());
    Ok(())
}
