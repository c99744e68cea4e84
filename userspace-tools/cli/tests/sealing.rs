// SPDX-License-Identifier: GPL-2.0-only

//! Sealing, signing and verifying, and that fsverity-utils make the same thing.

mod common;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use common::{file, newc, node, Place};

/// The format of the trailer, in numbers: `Documentation/image-format.rst`.
const BLOCK: usize = 4096;
const DESCRIPTOR: std::ops::Range<usize> = 64..320;

/// Returns an image of some hundred blocks, `image`, and nothing else.
fn usual() -> Place {
    let place = Place::new();
    let noise: Vec<u8> = (0..1_000_000_u32)
        .map(|at| (at.wrapping_mul(2_654_435_761) >> 13) as u8)
        .collect();
    place.write("a", newc(&[node("init", 0o100_755), file("noise", &noise)]));
    place.succeed("convert a -o image --compression none");
    place
}

/// Keys and certificates with these names.
fn keys(place: &Place, names: &[&str]) {
    for name in names {
        let options = "req -x509 -newkey rsa:2048 -nodes -days 9 -subj /CN=test";
        let mut openssl = Command::new("openssl");
        openssl.args(options.split(' '));
        openssl
            .arg("-keyout")
            .arg(place.path(&format!("{name}.key")));
        openssl.arg("-out").arg(place.path(&format!("{name}.pem")));
        let ended = openssl.output().expect("openssl");
        assert!(ended.status.success(), "{ended:?}");
    }
}

/// Runs `fsverity`; returns what it printed.
fn fsverity(place: &Place, arguments: &str) -> String {
    let mut command = Command::new("fsverity");
    command
        .args(arguments.split(' '))
        .current_dir(place.path("."));
    let ended = command.output().expect("fsverity: install fsverity");
    assert!(ended.status.success(), "{arguments}: {ended:?}");
    String::from_utf8(ended.stdout).expect("text")
}

#[test]
fn fsverity_makes_the_same_tree_and_the_same_digest() {
    let place = usual();
    let len = place.read("image").len();
    for options in [
        "--hash-alg=sha256",
        "--hash-alg=sha512",
        "--hash-alg=sha256 --salt=00ff1789",
        "--hash-alg=sha512 --salt=0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
    ] {
        let out = "--out-merkle-tree=tree --out-descriptor=descriptor";
        let theirs = fsverity(&place, &format!("digest {options} {out} image"));
        let theirs = theirs.split(' ').next().expect("a digest");
        let ours = place.succeed(&format!("digest {options} image"));
        assert_eq!(ours.trim(), theirs);
        let printed = place.succeed(&format!("seal --force {options} image -o sealed"));
        assert_eq!(printed.trim(), theirs);
        assert_eq!(place.succeed("digest sealed").trim(), theirs);

        let sealed = place.read("sealed");
        assert!(sealed[..len] == place.read("image"));
        let trailer = &sealed[len..];
        assert!(trailer[DESCRIPTOR] == place.read("descriptor"));
        assert!(trailer[BLOCK..] == place.read("tree"));
    }
}

#[test]
fn fsverity_makes_the_same_signature() {
    let place = usual();
    keys(&place, &["mine"]);
    fsverity(&place, "sign image theirs --key=mine.key --cert=mine.pem");
    place.succeed("sign image -o with-theirs --signature theirs");
    place.succeed("verify with-theirs --cert mine.pem");
    // RSA with PKCS#1's padding has no chance in it.
    place.succeed("sign image -o with-ours --key mine.key --cert mine.pem");
    assert!(place.read("with-ours") == place.read("with-theirs"));
}

#[test]
fn keys_are_told_apart() {
    let place = usual();
    keys(&place, &["mine", "other"]);
    place.succeed("sign image --key mine.key --cert mine.pem -o signed");
    let digest = place.succeed("digest image").trim().to_owned();
    assert!(place
        .succeed("verify signed --cert mine.pem")
        .contains(&digest));
    assert!(place
        .differ("verify signed --cert other.pem")
        .contains("not signed with the key"));
    place.succeed(&format!("verify signed --digest {digest} --cert mine.pem"));
    place.succeed(&format!("verify --digest {digest} --cert mine.pem signed"));
    let said = place.fail("sign image --signature mine.pem -o not");
    assert!(said.contains("mine.pem: not PKCS#7"), "{said}");

    let said = place.fail("sign image --key other.key --cert mine.pem -o not");
    assert!(said.contains("do not belong together"), "{said}");
    let said = place.fail("sign image --key mine.pem --cert mine.pem -o not");
    assert!(said.contains("mine.pem: not a private key"), "{said}");
    let said = place.fail("sign image --key mine.key --cert mine.key -o not");
    assert!(said.contains("mine.key: not a certificate"), "{said}");
    assert!(place.fail("sign image -o not").contains("--key and --cert"));
    assert!(!place.path("not").exists());

    let said = place.fail("sign signed --key other.key --cert other.pem");
    assert!(said.contains("--force replaces the signature"), "{said}");
    place.succeed("sign --force signed --key other.key --cert other.pem");
    place.succeed("verify signed --cert other.pem");
}

#[test]
fn every_change_is_found() {
    let place = usual();
    keys(&place, &["mine"]);
    place.succeed("sign image --key mine.key --cert mine.pem -o signed");
    let digest = place.succeed("digest signed").trim().to_owned();
    let signed = place.read("signed");
    let image = place.read("image").len();
    let tree = image + BLOCK;
    let changes = [
        (0, "offset 0x0 of the image was changed"),
        (image - 1, "of the image was changed"),
        (tree, "offset 0x0 of the tree was changed"),
        (
            tree + 2 * BLOCK + 5,
            "offset 0x2000 of the tree was changed",
        ),
        (image + 64, "descriptor of version"),
        (image + 65, "hash algorithm"),
        (image + 66, "blocks of"),
        (image + 72, "of another image"),
        (image + 80, "its digest is"),
        (image + 250, "reserved bits"),
        (image + 8, "has format version"),
        (signed.len() - 1, "reserved bits"),
    ];
    for (at, words) in changes {
        let mut changed = signed.clone();
        changed[at] ^= 0x40;
        place.write("changed", &changed);
        let said = place.differ(&format!("verify changed --digest {digest}"));
        assert!(said.contains(words), "{at:#x}: {said}");
    }
    // Without a magic it is no trailer.
    let mut changed = signed.clone();
    changed[image] ^= 1;
    place.write("changed", &changed);
    assert!(place.differ("verify changed").contains("it is not sealed"));
    // Cut short, it is no initrd any more.
    place.write("changed", &signed[..signed.len() - 1]);
    let said = place.fail("verify changed");
    assert!(said.contains("truncated"), "{said}");
}

#[test]
fn what_is_not_what_was_sealed_is_not_signed() {
    let place = usual();
    keys(&place, &["mine"]);
    let image = place.read("image");
    let mut other = image.clone();
    let last = other.len() - 1;
    other[last] ^= 1;
    place.write("other", &other);
    place.succeed("seal image");
    place.succeed("seal other");
    let behind = |name: &str| place.read(name)[image.len()..].to_vec();
    // The trailer of another image of the same size, and a change that came after the sealing.
    for (bytes, trailer) in [(&image, "other"), (&other, "image")] {
        place.write("mixed", [&bytes[..], &behind(trailer)].concat());
        for line in [
            "sign mixed --key mine.key --cert mine.pem",
            "digest mixed",
            "digest --boot-parameter mixed",
        ] {
            let said = place.fail(line);
            assert!(said.contains("was changed"), "{line}: {said}");
        }
        place.succeed("seal --force mixed");
        place.succeed("sign mixed --key mine.key --cert mine.pem");
        place.succeed("verify mixed --cert mine.pem");
    }
}

#[test]
fn kernels_that_want_signatures_get_no_unsigned_image() {
    let place = usual();
    keys(&place, &["mine"]);
    place.write(
        "config",
        "CONFIG_INITOVERLAYFS=y\nCONFIG_EROFS_FS=y\nCONFIG_OVERLAY_FS=y\n\
         CONFIG_INITOVERLAYFS_REQUIRE_SIGNATURE=y\n",
    );
    place.succeed("seal image -o sealed");
    for image in ["image", "sealed"] {
        let ended = place.run(&format!("check {image} --kernel-config config"));
        assert_eq!(ended.status, 1);
        assert!(ended.out.contains("is not signed"), "{}", ended.out);
    }
    place.succeed("sign sealed --key mine.key --cert mine.pem");
    place.succeed("check sealed --kernel-config config");
}

#[test]
fn all_images_of_an_initrd_are_sealed_and_what_is_around_them_stays() {
    let place = usual();
    let early = newc(&[node("kernel", 0o040_755), file("kernel/x86", b"early")]);
    let mut initrd = early.clone();
    initrd.resize(initrd.len().next_multiple_of(BLOCK), 0);
    let behind = newc(&[file("behind", b"behind")]);
    let image = place.read("image");
    place.write("initrd", [&initrd[..], &image, &image, &behind].concat());
    place.write(
        "config",
        "CONFIG_INITOVERLAYFS=y\nCONFIG_EROFS_FS=y\nCONFIG_OVERLAY_FS=y\n",
    );
    let before = place.succeed("ls initrd");
    let printed = place.succeed("seal initrd");
    assert_eq!(printed.lines().count(), 2);
    assert_eq!(place.succeed("digest initrd"), printed);
    assert_eq!(place.succeed("ls initrd"), before);
    let sealed = place.read("initrd");
    assert!(sealed.starts_with(&initrd) && sealed.ends_with(&behind));
    place.succeed("check initrd --kernel-config config");

    let parameter = place.succeed("digest --boot-parameter initrd");
    let digests: Vec<_> = printed
        .lines()
        .map(|line| &line["sha256:".len()..])
        .collect();
    assert_eq!(
        parameter.trim(),
        format!("initoverlayfs=require,verify=sha256:{}", digests.join(":"))
    );
    let (first, second) = (
        printed.lines().next().unwrap(),
        printed.lines().nth(1).unwrap(),
    );
    place.succeed(&format!("verify initrd --digest {first},{second}"));
    let said = place.differ(&format!("verify initrd --digest {first}"));
    assert!(said.contains("2 images, but 1 digest"), "{said}");

    let said = place.fail("seal initrd");
    assert!(said.contains("sealed already: --force"), "{said}");
    place.succeed("seal --force --hash-alg sha512 initrd");
    assert!(place.succeed("digest initrd").starts_with("sha512:"));
}

#[test]
fn new_images_are_sealed_and_signed_at_once() {
    let place = usual();
    keys(&place, &["mine"]);
    place.write("tree/init", "#!/bin/sh\n");
    place.succeed("convert a -o sealed --seal --compression none");
    let plain = place.succeed("digest image");
    assert_eq!(place.succeed("digest sealed"), plain);
    place.succeed("verify sealed");
    place.succeed("create --sign --key mine.key --cert mine.pem --hash-alg sha512 -o signed tree");
    place.succeed("verify signed --cert mine.pem");
    let shown = place.succeed("inspect signed");
    assert!(
        shown.contains("sealed       sha512:") && shown.contains("PKCS#7"),
        "{shown}"
    );
    let json: serde_json::Value =
        serde_json::from_str(&place.succeed("inspect --json sealed")).expect("JSON");
    let seal = &json["segments"][0]["seal"];
    assert_eq!(seal["digest"].as_str(), Some(plain.trim()));
    assert_eq!(seal["signature"], 0);
    place.fail("create --sign -o not tree");
    assert!(!place.path("not").exists());
}

#[test]
fn files_are_replaced_as_a_whole_and_keep_their_mode() {
    let place = usual();
    fs::set_permissions(place.path("image"), fs::Permissions::from_mode(0o600)).expect("a mode");
    let before = place.read("image");
    place.fail("seal image --salt 0");
    place.fail("seal a");
    place.fail("seal missing");
    place.fail("seal image -o no/such/place");
    let said = place.fail("seal image -o a");
    assert!(said.contains("a: "), "{said}");
    assert!(place.read("image") == before);
    place.succeed("seal image");
    let mode = fs::metadata(place.path("image"))
        .expect("it is there")
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn what_is_not_there_is_named() {
    let place = usual();
    assert!(place
        .fail("digest a")
        .contains("a: there is no image in it"));
    assert!(place.differ("verify a").contains("there is no image in it"));
    assert!(place.differ("verify image").contains("it is not sealed"));
    assert!(place
        .fail("digest --boot-parameter image")
        .contains("`initoverlayfs seal`"));
    let said = place.fail("verify image --digest sha256:12");
    assert!(said.contains("hexadecimal digits"), "{said}");
}
