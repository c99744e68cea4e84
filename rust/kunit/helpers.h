/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _INITOVERLAYFS_KUNIT_HELPERS_H
#define _INITOVERLAYFS_KUNIT_HELPERS_H

#include <linux/fs.h>
#include <linux/path.h>

void *initoverlayfs_test_reserve_pages(unsigned int order);
bool initoverlayfs_test_is_reserved(const void *address);
size_t initoverlayfs_test_managed_pages(void);
ssize_t initoverlayfs_test_read(const struct path *root, const char *name,
				void *buffer, size_t len, loff_t position);
struct file *initoverlayfs_test_disk_hold(dev_t dev);
void initoverlayfs_test_disk_release(struct file *file);
ssize_t initoverlayfs_test_disk_read(dev_t dev, void *buffer, size_t len,
				     loff_t position);
ssize_t initoverlayfs_test_disk_write(dev_t dev, const void *buffer, size_t len,
				      loff_t position);

#endif
