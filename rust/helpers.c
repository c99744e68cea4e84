// SPDX-License-Identifier: GPL-2.0-only
/*
 * Inline functions of the kernel's headers, members of unnamed unions and walks
 * over the kernel's lists, which Rust cannot reach, and nothing else.
 */

#include <linux/crash_reserve.h>
#include <linux/fs.h>
#include <linux/fs_struct.h>
#include <linux/highmem.h>
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/shmem_fs.h>

#include "helpers.h"

/* Fill a locked folio with what the file has there, and end its read. */
void initoverlayfs_fill_folio(struct folio *folio, const void *contents,
			      size_t len)
{
	memcpy_to_folio(folio, 0, contents, len);
	folio_zero_segment(folio, len, folio_size(folio));
	folio_end_read(folio, true);
}

/* End its read without contents. */
void initoverlayfs_fail_folio(struct folio *folio)
{
	folio_end_read(folio, false);
}

loff_t initoverlayfs_folio_pos(const struct folio *folio)
{
	return folio_pos(folio);
}

size_t initoverlayfs_folio_size(const struct folio *folio)
{
	return folio_size(folio);
}

struct inode *initoverlayfs_folio_inode(const struct folio *folio)
{
	return folio->mapping->host;
}

void initoverlayfs_set_fops(struct inode *inode,
			    const struct file_operations *fops)
{
	inode->i_fop = fops;
}

void initoverlayfs_set_size(struct inode *inode, loff_t size)
{
	i_size_write(inode, size);
}

/*
 * The task's layout depends on alignments that bindgen does not always get
 * right, so current->fs is read here.
 */
void initoverlayfs_set_root(const struct path *path)
{
	set_fs_root(current->fs, path);
}

void initoverlayfs_set_pwd(const struct path *path)
{
	set_fs_pwd(current->fs, path);
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

/*
 * Whether memory in the direct map belongs to the crash kernel: a kernel that
 * kexec started may find its initrd there.
 */
bool initoverlayfs_in_crash_kernel(const void *start, const void *end)
{
#ifdef CONFIG_CRASH_RESERVE
	if (crashk_res.end)
		return start <= __va(crashk_res.end) &&
		       end > __va(crashk_res.start);
#endif
	return false;
}
