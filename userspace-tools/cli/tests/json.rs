// SPDX-License-Identifier: GPL-2.0-only

//! `--json`: the fields that Documentation/image.rst promises to programs.

mod common;

use std::fs;
use std::path::Path;

use common::{file, newc, node, Ended, Entry, Place};
use serde_json::{json, Value};

fn parsed(text: &str) -> Value {
    serde_json::from_str(text).expect("JSON")
}

#[test]
fn listed_files_have_all_that_the_long_list_shows() {
    let place = Place::new();
    let entries = [
        Entry {
            owner: (1000, 100),
            ..file("a\nb", b"content")
        },
        Entry {
            device: (5, 1),
            ..node("console", 0o020_600)
        },
        Entry {
            content: b"a",
            ..node("link", 0o120_777)
        },
        node("pipe", 0o010_640),
    ];
    place.write("a", newc(&entries));
    let time = json!({"seconds": 1_000_000_000, "nanoseconds": 0, "xattrs": {}, "links": 1});
    let expected = [
        json!({"path": "/a\\nb", "type": "file", "mode": "0644", "uid": 1000, "gid": 100, "size": 7}),
        json!({"path": "/console", "type": "character", "mode": "0600", "uid": 0, "gid": 0, "device": [5, 1]}),
        json!({"path": "/link", "type": "symlink", "mode": "0777", "uid": 0, "gid": 0, "target": "a"}),
        json!({"path": "/pipe", "type": "fifo", "mode": "0640", "uid": 0, "gid": 0}),
    ];
    let Value::Array(mut found) = parsed(&place.succeed("ls --json a")) else {
        panic!("no list");
    };
    let root = found.remove(0);
    assert_eq!(
        (&root["path"], &root["type"]),
        (&json!("/"), &json!("directory"))
    );
    assert_eq!(found.len(), expected.len());
    for (found, mut expected) in found.into_iter().zip(expected) {
        let fields = expected.as_object_mut().expect("an object");
        fields.extend(time.as_object().expect("an object").clone());
        assert_eq!(found, expected);
    }
    let one = parsed(&place.succeed("ls --json a /pipe"));
    assert_eq!(one.as_array().map(Vec::len), Some(1));
}

#[test]
fn verdicts_have_their_reasons() {
    let place = Place::new();
    place.write("a", newc(&[node("init", 0o100_755)]));
    place.succeed("convert a -o image");
    let good =
        json!({"kernel_config": null, "boots_in_place": true, "problems": [], "warnings": []});
    assert_eq!(parsed(&place.succeed("check --json image")), good);
    let Ended { status, out, .. } = place.run("check --json a");
    assert_eq!(status, 1);
    let reason = "it holds no image, so the kernel unpacks it like any initramfs: make an image with `initoverlayfs convert`";
    let bad = json!({"kernel_config": null, "boots_in_place": false, "problems": [reason], "warnings": []});
    assert_eq!(parsed(&out), bad);
}

#[test]
fn digests_name_their_images() {
    let place = Place::new();
    place.write("a", newc(&[node("init", 0o100_755)]));
    place.succeed("convert a -o image");
    let digest = place.succeed("digest image");
    let expected = json!([{"offset": 0, "digest": digest.trim(), "sealed": false}]);
    assert_eq!(parsed(&place.succeed("digest --json image")), expected);
    place.succeed("seal image");
    let expected = json!([{"offset": 0, "digest": digest.trim(), "sealed": true}]);
    assert_eq!(parsed(&place.succeed("digest --json image")), expected);
}

/// All names of fields in a value.
fn fields(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(object) => {
            for (name, value) in object {
                found.push(name.clone());
                fields(value, found);
            }
        }
        Value::Array(values) => values.iter().for_each(|value| fields(value, found)),
        _ => {}
    }
}

#[test]
fn every_field_is_documented() {
    let place = Place::new();
    let entries = [
        node("init", 0o100_755),
        node("disk", 0o060_600),
        Entry {
            content: b"init",
            ..node("link", 0o120_777)
        },
    ];
    place.write("a", newc(&entries));
    place.succeed("convert a -o image --seal");
    place.write(
        "image",
        [place.read("image"), newc(&[file("more", b"")])].concat(),
    );
    place.write("debug/phases", "claim 1\n");
    place.write("debug/layers", "0 erofs 4096 0 1 1 1\n");
    place.write("debug/touched", "");
    let guide = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../Documentation/image.rst");
    let guide = fs::read_to_string(guide).expect("the guide");
    for line in [
        "inspect --json image",
        "ls --json image",
        "check --json image",
        "digest --json image",
        "stats --json --debugfs debug",
    ] {
        let mut found = Vec::new();
        fields(&parsed(&place.succeed(line)), &mut found);
        for name in found {
            assert!(guide.contains(&format!("``{name}``")), "{line}: {name}");
        }
    }
}
