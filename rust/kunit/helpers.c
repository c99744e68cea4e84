// SPDX-License-Identifier: GPL-2.0-only
/* Inline functions of the kernel's headers that only the KUnit suites need. */

#include <linux/blkdev.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/gfp.h>
#include <linux/mm.h>

#include "helpers.h"

/* Pages as the early boot leaves them: reserved, and not the allocator's. */
void *initoverlayfs_test_reserve_pages(unsigned int order)
{
	struct page *pages = alloc_pages(GFP_KERNEL, order);
	unsigned int i;

	if (!pages)
		return NULL;
	split_page(pages, order);
	for (i = 0; i < 1u << order; i++) {
		SetPageReserved(pages + i);
		adjust_managed_page_count(pages + i, -1);
	}
	return page_address(pages);
}

bool initoverlayfs_test_is_reserved(const void *address)
{
	return PageReserved(virt_to_page(address));
}

size_t initoverlayfs_test_managed_pages(void)
{
	return totalram_pages();
}

ssize_t initoverlayfs_test_read(const struct path *root, const char *name,
				void *buffer, size_t len, loff_t position)
{
	struct file *file = file_open_root(root, name, O_RDONLY, 0);
	ssize_t count;

	if (IS_ERR(file))
		return PTR_ERR(file);
	count = kernel_read(file, buffer, len, &position);
	fput(file);
	return count;
}

#ifdef CONFIG_INITOVERLAYFS_BLOCK
struct file *initoverlayfs_test_disk_hold(dev_t dev)
{
	return bdev_file_open_by_dev(dev, BLK_OPEN_READ, NULL, NULL);
}

void initoverlayfs_test_disk_release(struct file *file)
{
	if (!IS_ERR(file))
		__fput_sync(file);
}

ssize_t initoverlayfs_test_disk_read(dev_t dev, void *buffer, size_t len,
				     loff_t position)
{
	struct file *file = initoverlayfs_test_disk_hold(dev);
	ssize_t count;

	if (IS_ERR(file))
		return PTR_ERR(file);
	invalidate_bdev(file_bdev(file));
	count = kernel_read(file, buffer, len, &position);
	__fput_sync(file);
	return count;
}

/* The number of bytes that reached the device. */
ssize_t initoverlayfs_test_disk_write(dev_t dev, const void *buffer, size_t len,
				      loff_t position)
{
	struct file *file = bdev_file_open_by_dev(dev, BLK_OPEN_WRITE, NULL,
						  NULL);
	ssize_t count;
	int err;

	if (IS_ERR(file))
		return PTR_ERR(file);
	count = kernel_write(file, buffer, len, &position);
	err = sync_blockdev(file_bdev(file));
	__fput_sync(file);
	return err ?: count;
}
#endif
