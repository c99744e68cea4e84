/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _INITOVERLAYFS_HELPERS_H
#define _INITOVERLAYFS_HELPERS_H

#include <linux/fs.h>

void initoverlayfs_fail_folio(struct folio *folio);
void initoverlayfs_set_fops(struct inode *inode,
			    const struct file_operations *fops);
int initoverlayfs_set_console(const struct path *path);
void initoverlayfs_set_size(struct inode *inode, loff_t size);
void initoverlayfs_blake2b(u8 *out, size_t out_len, const u8 *in,
			   size_t in_len);
void initoverlayfs_call_apart(void (*function)(void *data), void *data);
void initoverlayfs_give_way(void);
void initoverlayfs_count_pages(unsigned long start, unsigned long end);
void initoverlayfs_free_pages(unsigned long start, unsigned long end,
			      bool counted);
bool initoverlayfs_in_crash_kernel(const void *start, const void *end);

#endif
