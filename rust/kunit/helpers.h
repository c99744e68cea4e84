/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _INITOVERLAYFS_KUNIT_HELPERS_H
#define _INITOVERLAYFS_KUNIT_HELPERS_H

#include <linux/path.h>

void *initoverlayfs_test_reserve_pages(unsigned int order);
bool initoverlayfs_test_is_reserved(const void *address);
size_t initoverlayfs_test_managed_pages(void);
ssize_t initoverlayfs_test_read(const struct path *root, const char *name,
				void *buffer, size_t len, loff_t position);

#endif
