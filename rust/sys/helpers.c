// SPDX-License-Identifier: GPL-2.0-only
/*
 * Inline functions of the kernel's headers, members of unnamed unions and walks
 * over the kernel's lists, which Rust cannot reach, and nothing else.
 */

#include <crypto/blake2b.h>
#include <linux/crash_reserve.h>
#include <linux/cred.h>
#include <linux/fdtable.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/fs_context.h>
#include <linux/fs_struct.h>
#include <linux/kasan.h>
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/poison.h>
#include <linux/shmem_fs.h>
#include <linux/slab.h>
#include <linux/task_work.h>
#include <linux/workqueue.h>

#include "internal.h"
#include "mount.h"

#include "helpers.h"

/* End the read of a locked folio without contents. */
void initoverlayfs_fail_folio(struct folio *folio)
{
	folio_end_read(folio, false);
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
 * Mount m at path, with relatime or with strict access times.
 * finish_automount() is the one function that takes a mount from a caller
 * outside of fs/namespace.c. If something is mounted there, it drops the mount
 * and reports success; and it marks the mount, and with it what is cloned from
 * it, as one that may go with its parent, which no root should.
 */
int initoverlayfs_attach(struct vfsmount *m, const struct path *path,
			 bool relatime)
{
	int err = finish_automount(m, path);

	if (err)
		return err;
	if (!is_mounted(m))
		return -EBUSY;
	scoped_guard(mount_writer) {
		m->mnt_flags &= ~(MNT_SHRINKABLE | MNT_ATIME_MASK);
		if (relatime)
			m->mnt_flags |= MNT_RELATIME;
	}
	return 0;
}

/* An option of a filesystem that is about to be mounted; value may be NULL. */
int initoverlayfs_set_string(struct fs_context *fc, const char *key,
			     const char *value)
{
	return vfs_parse_fs_string(fc, key, value);
}

/*
 * The same with a file opened at path. fs_parameter has a bit field and an
 * unnamed union.
 */
int initoverlayfs_set_path(struct fs_context *fc, const char *key,
			   const struct path *path, int flags)
{
	struct fs_parameter param = {
		.key = key,
		.type = fs_value_is_file,
	};
	int err;

	param.file = dentry_open(path, flags, current_cred());
	if (IS_ERR(param.file))
		return PTR_ERR(param.file);
	err = vfs_parse_fs_param(fc, &param);
	/* Who keeps it has taken it out. */
	if (param.file)
		__fput_sync(param.file);
	return err;
}

/*
 * The task's layout depends on alignments that bindgen does not always get
 * right, so current->fs is read here.
 */
void initoverlayfs_set_pwd(const struct path *path)
{
	set_fs_pwd(current->fs, path);
}

/*
 * Have the current task, and no other that looks things up as PID 1 does, see
 * tree as its root and work there, up to initoverlayfs_leave_view(). It must not
 * fork meanwhile. Returns what it saw before, or NULL for want of memory.
 */
struct fs_struct *initoverlayfs_enter_view(const struct path *tree)
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

void initoverlayfs_leave_view(struct fs_struct *before)
{
	struct fs_struct *view = current->fs;

	WRITE_ONCE(current->fs, before);
	free_fs_struct(view);
}

/* The console that PID 1 gets when it starts its first program. */
struct initoverlayfs_console {
	struct callback_head work;
	struct path path;
};

/* Runs when PID 1 returns to user space, in the program that it has become. */
static void initoverlayfs_move_console(struct callback_head *work)
{
	struct initoverlayfs_console *console =
		container_of(work, struct initoverlayfs_console, work);
	struct file *file = dentry_open(&console->path, O_RDWR, current_cred());
	unsigned int fd;

	for (fd = 0; fd < 3 && !IS_ERR(file); fd++) {
		struct file *old = fget(fd);

		if (!old)
			continue;
		if (file_inode(old)->i_sb == current->fs->root.mnt->mnt_sb &&
		    file_inode(old)->i_rdev == file_inode(file)->i_rdev)
			replace_fd(fd, file, 0);
		fput(old);
	}
	if (!IS_ERR(file))
		fput(file);
	path_put(&console->path);
	kfree(console);
}

/*
 * Have the first program start with the console at path, which is outside of its
 * root, instead of the one that console_on_rootfs() opens in its root. Else the
 * program, and all that inherit the console from it, would hold the root.
 */
int initoverlayfs_set_console(const struct path *path)
{
	struct initoverlayfs_console *console = kzalloc_obj(*console);
	int err;

	if (!console)
		return -ENOMEM;
	console->path = *path;
	path_get(path);
	init_task_work(&console->work, initoverlayfs_move_console);
	err = task_work_add(current, &console->work, TWA_RESUME);
	if (err) {
		path_put(path);
		kfree(console);
	}
	return err;
}

/* A function to be called by a thread of the kernel's. */
struct initoverlayfs_call {
	struct work_struct work;
	void (*function)(void *data);
	void *data;
};

static void initoverlayfs_call(struct work_struct *work)
{
	struct initoverlayfs_call *call =
		container_of(work, struct initoverlayfs_call, work);

	call->function(call->data);
}

/* Have a kernel thread call function, and wait until it has returned. */
void initoverlayfs_call_apart(void (*function)(void *data), void *data)
{
	struct initoverlayfs_call call = {
		.function = function,
		.data = data,
	};

	INIT_WORK_ONSTACK(&call.work, initoverlayfs_call);
	queue_work(system_dfl_wq, &call.work);
	flush_work(&call.work);
	destroy_work_on_stack(&call.work);
}

/* Let others run, if somebody wants to. */
void initoverlayfs_give_way(void)
{
	cond_resched();
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

/* BLAKE2b without a key; btrfs brings it. */
#ifdef CONFIG_BTRFS_FS
void initoverlayfs_blake2b(u8 *out, size_t out_len, const u8 *in, size_t in_len)
{
	blake2b(NULL, 0, in, in_len, out, out_len);
}
#endif

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

/*
 * The order of the largest block that starts at a page: aligned to its size,
 * before the end, in one zone. Nodes may meet anywhere.
 */
static unsigned int block_order(unsigned long pfn, unsigned long end_pfn)
{
	unsigned int order = min(ilog2(end_pfn - pfn), MAX_PAGE_ORDER);

	if (pfn)
		order = min_t(unsigned int, order, __ffs(pfn));
	if (page_zone(pfn_to_page(pfn)) !=
	    page_zone(pfn_to_page(pfn + (1UL << order) - 1)))
		order = 0;
	return order;
}

/*
 * Count whole pages of reserved memory as the page allocator's, from which they
 * might have been taken. Addresses are those of the direct map.
 *
 * A stock initrd is in MemTotal before init starts. Limits in percent, those of
 * each tmpfs above all, are computed from that.
 */
void initoverlayfs_count_pages(unsigned long start, unsigned long end)
{
	unsigned long pfn = PHYS_PFN(__pa(start));
	const unsigned long end_pfn = pfn + ((end - start) >> PAGE_SHIFT);

	while (pfn < end_pfn) {
		const long pages = 1L << block_order(pfn, end_pfn);

		adjust_managed_page_count(pfn_to_page(pfn), pages);
		pfn += pages;
	}
}

/*
 * Give whole pages of reserved memory to the page allocator, in blocks as large
 * as it has them. Addresses are those of the direct map. May sleep.
 *
 * counted: initoverlayfs_count_pages() has counted them.
 *
 * Like free_initrd_mem(), this overwrites the pages: an initrd may hold keys.
 * Unlike it, it leaves memblock alone. Where the architecture keeps memblock,
 * its array of reserved memory has no lock, and efi_mem_reserve_iomem() may add
 * to it at any time. All that a range does which stays there is that
 * kexec_file_load() puts no segment into it.
 */
void initoverlayfs_free_pages(unsigned long start, unsigned long end,
			      bool counted)
{
	unsigned long pfn = PHYS_PFN(__pa(start));
	const unsigned long end_pfn = pfn + ((end - start) >> PAGE_SHIFT);

	while (pfn < end_pfn) {
		struct page *page = pfn_to_page(pfn);
		const unsigned int order = block_order(pfn, end_pfn);

		memset(kasan_reset_tag(page_address(page)), POISON_FREE_INITMEM,
		       PAGE_SIZE << order);
		/* free_reserved_pages() counts them. */
		if (counted)
			adjust_managed_page_count(page, -(1L << order));
		free_reserved_pages(page, order);
		pfn += 1UL << order;
		cond_resched();
	}
}
