// SPDX-License-Identifier: GPL-2.0-only

//! The texts of manual pages beyond those of `--help`.

use crate::manual::variables::{MAKING, READING};

/// The page of a command.
pub struct Page {
    /// The command; empty for the page of all.
    pub command: &'static str,
    /// Purposes and command lines. `tests/manual.rs` runs them all.
    pub examples: &'static [(&'static str, &'static str)],
    /// The meaning of exit status 1, if the command has it.
    pub bad: Option<&'static str>,
    /// The variables that it reads: names in [`VARIABLES`](super::variables::VARIABLES), and of programs.
    pub environment: &'static [&'static str],
    /// Files that it reads or that have to do with it.
    pub files: &'static [(&'static str, &'static str)],
    /// Other pages.
    pub see_also: &'static [&'static str],
}

const HANDOVER: (&str, &str) = (
    "../libexec/initoverlayfs/handover-MACHINE",
    "From where the command is: the programs that replace tools which \
     cannot hand over from this root, one for each machine.",
);

const KERNEL: (&str, &str) = (
    "/sys/kernel/debug/initoverlayfs",
    "What the kernel has counted, in the files phases, layers and touched.",
);

/// All pages.
pub const PAGES: &[Page] = &[
    Page {
        command: "",
        examples: &[
            (
                "Convert the initramfs of this machine, and see whether its kernel \
                 will boot it:",
                "initoverlayfs convert /boot/initrd.img -o initrd.img\n\
                 initoverlayfs check initrd.img --kernel-config \
                 \"/boot/config-$(uname -r)\"",
            ),
            (
                "Show what is in it:",
                "initoverlayfs inspect /boot/initrd.img",
            ),
        ],
        bad: Some("A check failed, or two images differ."),
        environment: &[],
        files: &[
            (
                "/etc/initoverlayfs.conf",
                "Settings of the hooks that a package brings, which convert what is \
                 installed.",
            ),
            (
                "/etc/initoverlayfs.profile",
                "The list that these hooks give to convert as --profile, if it is \
                 there.",
            ),
            KERNEL,
        ],
        see_also: &[
            "mkfs.erofs(1)",
            "ukify(1)",
            "kernel-install(8)",
            "bootparam(7)",
        ],
    },
    Page {
        command: "convert",
        examples: &[
            (
                "Convert an initramfs:",
                "initoverlayfs convert /boot/initrd.img -o initrd.img",
            ),
            (
                "Make it as small as it gets, with larger clusters of another \
                 compression:",
                "initoverlayfs convert /boot/initrd.img -o initrd.img --compression \
                 zstd --level 9 --cluster-size 64K",
            ),
            (
                "Leave uncompressed what a boot has read (see \
                 initoverlayfs-stats(1)), and replace the image:",
                "initoverlayfs convert /boot/initrd.img -o other.img --force \
                 --profile files",
            ),
            (
                "See which directories and files make the image large:",
                "initoverlayfs convert /boot/initrd.img -o initrd.img --explain",
            ),
            (
                "In a pipe, and sealed:",
                "cat /boot/initrd.img | initoverlayfs convert - -o - --seal > \
                 initrd.img",
            ),
        ],
        bad: None,
        environment: MAKING,
        files: &[HANDOVER],
        see_also: &[
            "initoverlayfs-check(1)",
            "initoverlayfs-create(1)",
            "initoverlayfs-stats(1)",
            "mkfs.erofs(1)",
            "dracut(8)",
            "mkinitramfs(8)",
            "mkinitcpio(8)",
        ],
    },
    Page {
        command: "create",
        examples: &[
            (
                "Of a directory:",
                "initoverlayfs create rootfs -o initrd.img",
            ),
            (
                "Of the layers of a container image, the lowest first:",
                "initoverlayfs create base.tar app.tar -o initrd.img",
            ),
            (
                "Of what another program packs:",
                "tar -C rootfs -c . | initoverlayfs create - -o initrd.img",
            ),
            (
                "The same bytes whenever it is made, with a date:",
                "SOURCE_DATE_EPOCH=1700000000 initoverlayfs create rootfs -o initrd.img",
            ),
        ],
        bad: None,
        environment: MAKING,
        files: &[HANDOVER],
        see_also: &[
            "initoverlayfs-convert(1)",
            "initoverlayfs-stats(1)",
            "mkfs.erofs(1)",
            "mkosi(1)",
        ],
    },
    Page {
        command: "inspect",
        examples: &[
            ("Show the segments:", "initoverlayfs inspect initrd.img"),
            (
                "List the largest directories and files, too:",
                "initoverlayfs inspect --explain initrd.img",
            ),
            (
                "Ask whether it is mounted in place:",
                "initoverlayfs inspect --json initrd.img | grep '\"boot\": \
                 \"in-place\"'",
            ),
        ],
        bad: None,
        environment: READING,
        files: &[],
        see_also: &[
            "initoverlayfs-check(1)",
            "initoverlayfs-ls(1)",
            "dump.erofs(1)",
        ],
    },
    Page {
        command: "ls",
        examples: &[
            (
                "List all files with all that is known of them:",
                "initoverlayfs ls -l initrd.img",
            ),
            (
                "List a directory of the lowest layer:",
                "initoverlayfs ls --layer 0 initrd.img /etc",
            ),
        ],
        bad: None,
        environment: READING,
        files: &[],
        see_also: &[
            "initoverlayfs-cat(1)",
            "initoverlayfs-diff(1)",
            "initoverlayfs-extract(1)",
            "lsinitramfs(8)",
            "lsinitrd(1)",
        ],
    },
    Page {
        command: "cat",
        examples: &[("Print a file:", "initoverlayfs cat initrd.img /etc/fstab")],
        bad: None,
        environment: READING,
        files: &[],
        see_also: &["initoverlayfs-extract(1)", "initoverlayfs-ls(1)"],
    },
    Page {
        command: "extract",
        examples: &[
            (
                "Into a directory:",
                "initoverlayfs extract initrd.img -C contents",
            ),
            (
                "As a tarball, for another program:",
                "initoverlayfs extract initrd.img --tar - | tar -t",
            ),
        ],
        bad: None,
        environment: READING,
        files: &[],
        see_also: &["initoverlayfs-cat(1)", "initoverlayfs-create(1)", "tar(1)"],
    },
    Page {
        command: "diff",
        examples: &[(
            "See whether a conversion has lost anything:",
            "initoverlayfs diff /boot/initrd.img initrd.img",
        )],
        bad: Some("The files differ."),
        environment: READING,
        files: &[],
        see_also: &["initoverlayfs-ls(1)"],
    },
    Page {
        command: "status",
        examples: &[
            ("Of this system:", "initoverlayfs status"),
            (
                "Of a system that is mounted elsewhere:",
                "initoverlayfs status --root mounted",
            ),
        ],
        bad: None,
        environment: READING,
        files: &[(
            "/etc/initoverlayfs.conf",
            "Settings of the hooks that convert images.",
        )],
        see_also: &["initoverlayfs-check(1)", "initoverlayfs-stats(1)"],
    },
    Page {
        command: "check",
        examples: &[(
            "Against the configuration of the running kernel:",
            "initoverlayfs check initrd.img --kernel-config \
             \"/boot/config-$(uname -r)\"",
        )],
        bad: Some("The kernel will not boot the initrd in place, or not as expected."),
        environment: READING,
        files: &[],
        see_also: &[
            "initoverlayfs-convert(1)",
            "initoverlayfs-inspect(1)",
            "initoverlayfs-verify(1)",
            "fsck.erofs(1)",
        ],
    },
    Page {
        command: "seal",
        examples: &[
            ("Seal an initrd in place:", "initoverlayfs seal initrd.img"),
            (
                "With another hash algorithm and a salt, into another file:",
                "initoverlayfs seal initrd.img -o sealed.img --hash-alg sha512 \
                 --salt 1f2e3d4c",
            ),
        ],
        bad: None,
        environment: &[],
        files: &[],
        see_also: &[
            "initoverlayfs-digest(1)",
            "initoverlayfs-sign(1)",
            "initoverlayfs-verify(1)",
            "fsverity(1)",
        ],
    },
    Page {
        command: "sign",
        examples: &[
            (
                "Sign an initrd in place:",
                "initoverlayfs sign initrd.img --key key.pem --cert cert.pem",
            ),
            (
                "Make a key and a certificate for it:",
                "openssl req -x509 -newkey rsa:4096 -nodes -days 3650 -subj \
                 /CN=initrd -keyout new-key.pem -out new-cert.pem",
            ),
        ],
        bad: None,
        environment: &["PKCS11_PROVIDER_MODULE"],
        files: &[],
        see_also: &[
            "initoverlayfs-seal(1)",
            "initoverlayfs-verify(1)",
            "fsverity(1)",
            "openssl-req(1)",
        ],
    },
    Page {
        command: "digest",
        examples: &[
            (
                "Print the digest of the image:",
                "initoverlayfs digest initrd.img",
            ),
            (
                "Print what the kernel's command line needs:",
                "initoverlayfs digest --boot-parameter initrd.img",
            ),
        ],
        bad: None,
        environment: &[],
        files: &[],
        see_also: &[
            "initoverlayfs-seal(1)",
            "initoverlayfs-verify(1)",
            "fsverity(1)",
        ],
    },
    Page {
        command: "verify",
        examples: &[
            (
                "Whether it was signed with the key of a certificate:",
                "initoverlayfs verify initrd.img --cert cert.pem",
            ),
            (
                "Whether a copy is what its original was:",
                "initoverlayfs verify copy.img --digest \"$(initoverlayfs digest \
                 initrd.img)\"",
            ),
        ],
        bad: Some("An image is not what it should be, or is not sealed."),
        environment: &[],
        files: &[],
        see_also: &[
            "initoverlayfs-digest(1)",
            "initoverlayfs-sign(1)",
            "fsverity(1)",
        ],
    },
    Page {
        command: "stats",
        examples: &[
            ("Show how this boot went, as root:", "initoverlayfs stats"),
            (
                "List the files that this boot has read of its initrd, and make the \
                 next one of that list:",
                "initoverlayfs stats --files initrd.img -o list\n\
                 initoverlayfs convert /boot/initrd.img -o new.img --profile list",
            ),
        ],
        bad: None,
        environment: &["TMPDIR"],
        files: &[KERNEL],
        see_also: &["initoverlayfs-convert(1)"],
    },
];
