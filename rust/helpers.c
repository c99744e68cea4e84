// SPDX-License-Identifier: GPL-2.0-only
/*
 * Inline functions of the kernel's headers and members of unnamed unions, which
 * Rust cannot reach, and nothing else.
 */

#include <linux/crash_reserve.h>
#include <linux/fs.h>
#include <linux/fs_struct.h>
#include <linux/highmem.h>
#include <linux/mm.h>
#include <linux/pagemap.h>

#include "helpers.h"

/* Fill a locked folio with what the file has there, and end its read. */
void initoverlayfs_fill_folio(struct folio *folio, const void *contents,
			      size_t len)
{
	memcpy_to_folio(folio, 0, contents, len);
	folio_zero_segment(folio, len, folio_size(folio));
	folio_end_read(folio, true);
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
