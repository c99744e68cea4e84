// SPDX-License-Identifier: GPL-2.0-only

//! The manual pages and completions: that they are there, and that their examples are right.

mod common;

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;

use initoverlayfs_image::programs::PROGRAMS;

use common::examples::{machine, run};
use common::{ended, Ended, Place};

/// Returns the pages, by their file names.
fn pages() -> BTreeMap<String, String> {
    let place = Place::new();
    place.succeed("manual out");
    let entries = fs::read_dir(place.path("out")).expect("a directory");
    let names = entries.map(|entry| entry.expect("an entry").file_name());
    let names = names.map(|name| name.into_string().expect("text"));
    let pages = names.filter(|name| name.ends_with(".1"));
    pages
        .map(|name| {
            let page = fs::read_to_string(place.path("out").join(&name)).expect("text");
            (name, page)
        })
        .collect()
}

/// Returns the lines of the examples of a page, as a reader would copy them.
fn examples(page: &str) -> Vec<String> {
    let parts = page.split("\n.EX\n").skip(1);
    let parts = parts.map(|part| part.split_once("\n.EE").expect("an end").0);
    let plain = |line: &str| line.replace("\\-", "-").replace("\\*(Aq", "'");
    parts.map(plain).collect()
}

/// Returns the commands that `--help` lists.
fn commands() -> Vec<String> {
    let help = Place::new().succeed("--help");
    let (_, list) = help.split_once("\nMake:\n").expect("a list");
    let (list, _) = list.split_once("\nOptions:\n").expect("an end");
    let names = list.lines().filter_map(|line| {
        let is_name = line.starts_with("  ") && !line.starts_with("   ");
        is_name.then(|| line.split_whitespace().next().map(str::to_owned))?
    });
    names.collect()
}

#[test]
fn every_command_has_a_page_with_all_sections() {
    let pages = pages();
    let mut commands = commands();
    assert!(commands.len() > 10, "{commands:?}");
    assert_eq!(pages.len(), commands.len() + 1);
    let names = commands
        .drain(..)
        .map(|name| format!("initoverlayfs-{name}.1"));
    for name in names.chain(["initoverlayfs.1".to_owned()]) {
        let page = pages.get(&name).expect(&name);
        for section in "NAME SYNOPSIS DESCRIPTION OPTIONS EXAMPLES EXIT-STATUS SEE-ALSO".split(' ')
        {
            let title = section.replace('-', " ");
            let is_there = [format!("\n.SH {title}\n"), format!("\n.SH \"{title}\"\n")];
            assert!(
                is_there.iter().any(|line| page.contains(line)),
                "{name}: {title}"
            );
        }
        assert!(!page.contains("\n.SH EXTRA\n"), "{name}");
        assert!(!examples(page).is_empty(), "{name}");
        // Pages of ours that it names are there.
        let own = page.split("\\fBinitoverlayfs").skip(1);
        let own = own.filter_map(|rest| rest.split_once("\\fR(1)"));
        for (rest, _) in own.filter(|(rest, _)| !rest.contains(' ')) {
            let other = format!("initoverlayfs{}.1", rest.replace("\\-", "-"));
            assert!(pages.contains_key(&other), "{name}: {other}");
        }
    }
}

#[test]
fn examples_work() {
    for (name, page) in pages() {
        // What seals wants an image that is not sealed.
        let is_sealed = !["initoverlayfs-seal.1", "initoverlayfs-sign.1"].contains(&&*name);
        for line in examples(&page) {
            let place = machine(is_sealed);
            // What makes it finds none.
            if line.contains("-o initrd.img") || line.contains("> initrd.img") {
                fs::remove_file(place.path("initrd.img")).expect("it is there");
            }
            let Ended { status, out, err } = run(&place, &line);
            assert_eq!(status, 0, "{name}: {line}: {out}{err}");
        }
    }
}

#[test]
fn variables_of_the_environment_are_what_the_program_reads() {
    let main = &pages()["initoverlayfs.1"];
    let others = ["INITOVERLAYFS_HANDOVER", "SOURCE_DATE_EPOCH", "TMPDIR"];
    let programs = PROGRAMS.iter().map(|program| program.variable);
    for name in programs.chain(others) {
        assert!(main.contains(&format!("\n\\fI{name}\\fR\n")), "{name}");
    }
    // Some command's page has each of them.
    let pages = pages();
    for program in PROGRAMS {
        let name = format!("\n\\fI{}\\fR\n", program.variable);
        let found = pages.iter().filter(|(_, page)| page.contains(&name));
        assert!(found.count() > 1, "{name}");
    }
}

#[test]
fn groff_has_nothing_to_say_about_them() {
    let place = Place::new();
    place.succeed("manual out");
    for name in pages().keys() {
        let mut groff = Command::new("groff");
        groff.args(["-man", "-ww", "-z", "-Tutf8"]);
        let Ok(output) = groff.arg(place.path("out").join(name)).output() else {
            eprintln!("skipped: there is no groff");
            return;
        };
        let Ended { status, err, .. } = ended(output);
        assert_eq!((status, &*err), (0, ""), "{name}");
    }
}

#[test]
fn completions_are_written() {
    let place = Place::new();
    place.succeed("manual out");
    for name in ["initoverlayfs.bash", "initoverlayfs.fish", "_initoverlayfs"] {
        assert!(place.path("out").join(name).is_file(), "{name}");
    }
}
