/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _INITOVERLAYFS_VFS_HELPERS_H
#define _INITOVERLAYFS_VFS_HELPERS_H

#include <linux/fs.h>
#include <linux/fs_context.h>

/* The kernel's own helpers of this kind may become part of their callers. */
#define __rust_helper

struct fs_struct *rust_helper_current_fs(void);
u32 rust_helper_new_encode_dev(dev_t dev);
int rust_helper_vfs_parse_fs_string(struct fs_context *fc, const char *key,
				    const char *value);
int rust_helper_vfs_parse_fs_path(struct fs_context *fc, const char *key,
				  const struct path *path, int flags);

#endif
