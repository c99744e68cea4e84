/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What bindgen reads outside of the kernel's tree: our own headers, and what the
 * series for the kernel adds to rust/bindings and rust/helpers. The names
 * themselves are listed in bindgen_parameters.
 */

#include "bindings_helper.h"

#include <linux/fs_context.h>
#include <linux/fs_struct.h>
#include <linux/init_syscalls.h>
#include <linux/namei.h>
#include <linux/statfs.h>
#include <linux/xattr.h>
#include <uapi/linux/mount.h>
#include "internal.h"

#include "../around.h"
#include "../vfs/helpers.h"

/* As in the kernel's own header: the build takes the prefix away. */
const int RUST_CONST_HELPER_SB_RDONLY = SB_RDONLY;
const unsigned int RUST_CONST_HELPER_LOOKUP_DIRECTORY = LOOKUP_DIRECTORY;
const unsigned int RUST_CONST_HELPER_LOOKUP_FOLLOW = LOOKUP_FOLLOW;
