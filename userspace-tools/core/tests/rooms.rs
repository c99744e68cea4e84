// SPDX-License-Identifier: GPL-2.0-only

//! The rooms of `rust/` and of the command: which room may use which, and where `unsafe` may stand.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Rooms in which `unsafe` may stand. `faults` and `kunit` are among them, because they test the kernel from within.
const MAY_BE_UNSAFE: [&str; 5] = ["sys", "source", "memory", "faults", "kunit"];

/// Returns all Rust files below a directory.
fn files(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).expect("a directory");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    paths
        .flat_map(|path| match path.is_dir() {
            true => files(&path),
            false => vec![path],
        })
        .filter(|path| path.extension().is_some_and(|end| end == "rs"))
        .filter(|path| !path.ends_with("bindings_generated.rs"))
        .collect()
}

/// Returns the source without comments.
fn code(path: &Path) -> String {
    let text = fs::read_to_string(path).expect("a file");
    let lines = text
        .lines()
        .map(|line| line.split("//").next().unwrap_or_default());
    lines.collect::<Vec<_>>().join("\n")
}

/// Returns the first names behind `crate::`, in code and in the lists of `use`.
fn used(code: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let name = |text: &str| -> String {
        let end = text.find(|c: char| !c.is_alphanumeric() && c != '_');
        text[..end.unwrap_or(text.len())].to_owned()
    };
    for part in code.split("crate::").skip(1) {
        let Some(list) = part.strip_prefix('{') else {
            found.insert(name(part));
            continue;
        };
        let (mut depth, mut is_new) = (0, true);
        for (at, letter) in list.char_indices() {
            match letter {
                '{' => depth += 1,
                '}' if depth == 0 => break,
                '}' => depth -= 1,
                ',' => is_new |= depth == 0,
                _ if depth == 0 && is_new && !letter.is_whitespace() => {
                    found.insert(name(&list[at..]));
                    is_new = false;
                }
                _ => {}
            }
        }
    }
    found
}

/// Returns for each room of a crate the rooms that it uses: folders, and files beside them.
fn ties(source: &Path) -> BTreeMap<String, BTreeSet<String>> {
    let mut ties: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for path in files(source) {
        let inside = path.strip_prefix(source).expect("a file below");
        let first = inside.iter().next().expect("a name").to_string_lossy();
        let room = first.trim_end_matches(".rs").to_owned();
        ties.entry(room).or_default().extend(used(&code(&path)));
    }
    let rooms: BTreeSet<String> = ties.keys().cloned().collect();
    for (room, used) in &mut ties {
        used.retain(|other| other != room && rooms.contains(other));
    }
    ties
}

/// Takes away rooms that use none of those left; returns what is left: circles, and who uses them.
fn circles(mut ties: BTreeMap<String, BTreeSet<String>>) -> BTreeMap<String, BTreeSet<String>> {
    loop {
        let free: Vec<String> = ties
            .iter()
            .filter(|(_, used)| used.is_empty())
            .map(|(room, _)| room.clone())
            .collect();
        if free.is_empty() {
            return ties;
        }
        for room in free {
            ties.remove(&room);
            ties.values_mut().for_each(|used| {
                used.remove(&room);
            });
        }
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

#[test]
fn kernels_rooms_use_each_other_one_way() {
    let mut found = ties(&root().join("rust"));
    // A crate of its own, and tests that look at everything from within.
    for room in ["macros", "kunit", "faults"] {
        found.remove(room);
        found.values_mut().for_each(|used| {
            used.remove(room);
        });
    }
    assert!(found.len() > 8, "{found:#?}");
    println!("{found:#?}");
    let circles = circles(found);
    assert!(circles.is_empty(), "a circle among {circles:#?}");
}

#[test]
fn commands_rooms_use_each_other_one_way() {
    for source in ["cli/src", "image/src"] {
        let mut found = ties(&root().join("userspace-tools").join(source));
        // The crate root lists all of them.
        found.remove("main");
        found.remove("lib");
        let circles = circles(found);
        assert!(circles.is_empty(), "{source}: a circle among {circles:#?}");
    }
}

#[test]
fn parsers_of_the_initrd_use_each_other_one_way() {
    let directory = root().join("rust/initrd");
    let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for path in files(&directory) {
        let name = path
            .file_stem()
            .expect("a name")
            .to_string_lossy()
            .into_owned();
        let code = code(&path).replace("super::", "crate::");
        found.insert(name, used(&code));
    }
    found.remove("mod");
    let rooms: BTreeSet<String> = found.keys().cloned().collect();
    for (room, used) in &mut found {
        used.retain(|other| other != room && rooms.contains(other));
    }
    let circles = circles(found);
    assert!(circles.is_empty(), "a circle among {circles:#?}");
}

#[test]
fn unsafe_code_stays_in_its_rooms() {
    let source = root().join("rust");
    for path in files(&source) {
        let inside = path.strip_prefix(&source).expect("a file below");
        let first = inside.iter().next().expect("a name").to_string_lossy();
        let room = first.trim_end_matches(".rs");
        let code = code(&path);
        let mut words = code.split(|c: char| !c.is_alphanumeric() && c != '_');
        let is_unsafe = words.any(|word| word == "unsafe");
        let may_be = MAY_BE_UNSAFE.contains(&room) || room == "macros";
        assert!(may_be || !is_unsafe, "{}: unsafe", inside.display());
    }
}

#[test]
fn unsafe_files_say_why() {
    for room in ["sys", "source", "memory"] {
        for path in files(&root().join("rust").join(room)) {
            let text = fs::read_to_string(&path).expect("a file");
            let code = code(&path);
            let mut words = code.split(|c: char| !c.is_alphanumeric() && c != '_');
            let is_unsafe = words.any(|word| word == "unsafe");
            let says_why = text
                .lines()
                .any(|line| line.starts_with("//! Unsafe, because "));
            assert!(says_why || !is_unsafe, "{}: no reason", path.display());
        }
    }
}

#[test]
fn circles_are_found() {
    let ties = |list: &[(&str, &[&str])]| -> BTreeMap<String, BTreeSet<String>> {
        let names = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
        list.iter()
            .map(|(room, used)| ((*room).to_owned(), names(used)))
            .collect()
    };
    assert!(circles(ties(&[("a", &["b"]), ("b", &[])])).is_empty());
    assert_eq!(
        circles(ties(&[("a", &["b"]), ("b", &["a"]), ("c", &[])])).len(),
        2
    );
    let code = "use crate::{\n a::{B, c},\n d,\n e::F,\n};\nlet x = crate::g::h();";
    assert_eq!(used(code), ["a", "d", "e", "g"].map(str::to_owned).into());
}

/// Words that a doc comment does not begin with, because it would not stand alone.
const NO_BEGINNINGS: [&str; 12] = [
    "All of them",
    "As",
    "How",
    "It",
    "Its",
    "None of them",
    "The same",
    "They",
    "This one",
    "What",
    "Where",
    "Whether",
];

#[test]
fn doc_comments_stand_alone() {
    let tools = root().join("userspace-tools");
    let sources = ["cli/src", "image/src", "handover/src", "core/src"].map(|name| tools.join(name));
    for source in sources.iter().chain([&root().join("rust")]) {
        for path in files(source) {
            let text = fs::read_to_string(&path).expect("a file");
            let mut is_inside = false;
            for (number, line) in (1..).zip(text.lines()) {
                let comment = ["///", "//!"]
                    .iter()
                    .find_map(|start| line.trim().strip_prefix(start));
                let Some(comment) = comment else {
                    is_inside = false;
                    continue;
                };
                let begins = |start: &&str| {
                    let rest = comment.trim().strip_prefix(start);
                    rest.is_some_and(|rest| !rest.starts_with(char::is_alphanumeric))
                };
                let bad = NO_BEGINNINGS
                    .iter()
                    .find(|start| !is_inside && begins(start));
                assert!(bad.is_none(), "{}:{number}: {comment}", path.display());
                is_inside = true;
            }
        }
    }
}

#[test]
fn rooms_say_what_they_may_use() {
    let source = root().join("rust");
    let ties = ties(&source);
    for room in [
        "initrd",
        "layers",
        "memory",
        "parameter",
        "policy",
        "report",
        "source",
        "sys",
    ] {
        let text = fs::read_to_string(source.join(room).join("mod.rs")).expect("a room");
        let heading: Vec<&str> = text
            .lines()
            .filter_map(|line| line.strip_prefix("//! "))
            .collect();
        let heading = heading.join(" ");
        let (_, said) = heading
            .split_once("May use: ")
            .unwrap_or_else(|| panic!("{room}: nothing said"));
        let said = said.split('.').next().unwrap_or_default();
        let names = said
            .split(", ")
            .map(|name| name.split(" (").next().unwrap_or_default());
        let names: BTreeSet<String> = names
            .filter(|name| *name != "no other room")
            .map(str::to_owned)
            .collect();
        assert_eq!(names, ties[room], "{room} says what it may use, and uses");
    }
}
