// SPDX-License-Identifier: GPL-2.0-only
/*
 * Inline functions of the kernel's headers and members of unnamed unions, which
 * Rust cannot reach, and nothing else.
 */

#include <crypto/blake2b.h>
#include <linux/crash_reserve.h>
#include <linux/cred.h>
#include <linux/fdtable.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/fs_struct.h>
#include <linux/init.h>
#include <linux/kasan.h>
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/poison.h>
#include <linux/slab.h>
#include <linux/task_work.h>
#include <linux/workqueue.h>

#include "helpers.h"

/* What boot_param! of the macros crate writes. */
static_assert(offsetof(struct obs_kernel_param, str) == 0);
static_assert(offsetof(struct obs_kernel_param, setup_func) == sizeof(void *));
static_assert(offsetof(struct obs_kernel_param, early) == 2 * sizeof(void *));

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
