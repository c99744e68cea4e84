/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What bindgen reads for the functions that the kernel crate does not bind; the
 * names themselves are listed in bindgen_parameters.
 */

#include <linux/crc32.h>
#include <linux/device.h>
#include <linux/fs.h>
#include <linux/fs_context.h>
#include <linux/fs_struct.h>
#include <linux/init.h>
#include <linux/init_syscalls.h>
#include <linux/initrd.h>
#include <linux/kobject.h>
#include <linux/magic.h>
#include <linux/mm.h>
#include <linux/mount.h>
#include <linux/namei.h>
#include <linux/pagemap.h>
#include <linux/panic.h>
#include <linux/security.h>
#include <linux/sysfs.h>
#include <uapi/linux/mount.h>
#include "internal.h"

/* Declared only where it is defined, in init/initramfs.c. */
char *unpack_to_rootfs(char *buf, unsigned long len);

#include "../helpers.h"

/* Macros that bindgen does not evaluate, in the types that our callees want. */
const unsigned int INITOVERLAYFS_LOOKUP_DIR = LOOKUP_FOLLOW | LOOKUP_DIRECTORY;
const int INITOVERLAYFS_SB_RDONLY = SB_RDONLY;
const unsigned long INITOVERLAYFS_MS_RDONLY = MS_RDONLY;
const int INITOVERLAYFS_MNT_DETACH = MNT_DETACH;
