/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _INITOVERLAYFS_AROUND_H
#define _INITOVERLAYFS_AROUND_H

struct fs_struct;
struct path;
struct vfsmount;

int attach_new_mount(struct vfsmount *m, const struct path *path, int mnt_flags);
struct fs_struct *override_fs_root(const struct path *tree);
void revert_fs_root(struct fs_struct *before);
void initoverlayfs_truncate_all(const struct path *tmpfs);

#endif
