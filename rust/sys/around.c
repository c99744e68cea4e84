// SPDX-License-Identifier: GPL-2.0-only
/*
 * Ways around what the VFS does not offer to code outside of fs/. A series for
 * the kernel brings functions of the same names in fs/ instead, except for
 * initoverlayfs_truncate_all(), which it does not need.
 */

#include <linux/fs.h>
#include <linux/fs_struct.h>
#include <linux/mount.h>
#include <linux/sched.h>
#include <linux/shmem_fs.h>

#include "internal.h"
#include "mount.h"

#include "around.h"

/*
 * Attach m, which was made by fc_mount(), at path, with mnt_flags for its times
 * of access. It is consumed in any case.
 *
 * finish_automount() is the one function that takes a mount from a caller
 * outside of fs/namespace.c. If something is mounted there, it drops the mount
 * and reports success; and it marks the mount, and with it what is cloned from
 * it, as one that may go with its parent, which no root should.
 */
int attach_new_mount(struct vfsmount *m, const struct path *path, int mnt_flags)
{
	int err = finish_automount(m, path);

	if (err)
		return err;
	if (!is_mounted(m))
		return -EBUSY;
	scoped_guard(mount_writer) {
		m->mnt_flags &= ~(MNT_SHRINKABLE | MNT_ATIME_MASK);
		m->mnt_flags |= mnt_flags;
	}
	return 0;
}

/*
 * Have the current task, and no other that looks things up as PID 1 does, see
 * tree as its root and work there, up to revert_fs_root(). It must not fork
 * meanwhile. Returns what it saw before, or NULL for want of memory.
 */
struct fs_struct *override_fs_root(const struct path *tree)
{
	struct fs_struct *before = current->fs;
	struct fs_struct *view = copy_fs_struct(before);

	if (!view)
		return NULL;
	set_fs_root(view, tree);
	set_fs_pwd(view, tree);
	WRITE_ONCE(current->fs, view);
	return before;
}

void revert_fs_root(struct fs_struct *before)
{
	struct fs_struct *view = current->fs;

	WRITE_ONCE(current->fs, before);
	free_fs_struct(view);
}

/*
 * Give back what the files of a tmpfs hold, whoever has them open. Does nothing
 * in another filesystem. The walk is that of drop_pagecache_sb() in
 * fs/drop_caches.c.
 */
void initoverlayfs_truncate_all(const struct path *tmpfs)
{
	struct super_block *sb = tmpfs->mnt->mnt_sb;
	struct inode *inode, *last = NULL;

	spin_lock(&sb->s_inode_list_lock);
	list_for_each_entry(inode, &sb->s_inodes, i_sb_list) {
		spin_lock(&inode->i_lock);
		if (inode_state_read(inode) & (I_FREEING | I_WILL_FREE | I_NEW) ||
		    !S_ISREG(inode->i_mode) ||
		    !shmem_mapping(inode->i_mapping)) {
			spin_unlock(&inode->i_lock);
			continue;
		}
		__iget(inode);
		spin_unlock(&inode->i_lock);
		spin_unlock(&sb->s_inode_list_lock);

		shmem_truncate_range(inode, 0, -1);
		iput(last);
		last = inode;

		cond_resched();
		spin_lock(&sb->s_inode_list_lock);
	}
	spin_unlock(&sb->s_inode_list_lock);
	iput(last);
}
