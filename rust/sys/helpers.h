/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _INITOVERLAYFS_HELPERS_H
#define _INITOVERLAYFS_HELPERS_H

#include <linux/fs.h>
#include <linux/fs_context.h>

void initoverlayfs_fail_folio(struct folio *folio);
void initoverlayfs_set_fops(struct inode *inode,
			    const struct file_operations *fops);
int initoverlayfs_attach(struct vfsmount *m, const struct path *path,
			 bool relatime);
int initoverlayfs_set_string(struct fs_context *fc, const char *key,
			     const char *value);
int initoverlayfs_set_path(struct fs_context *fc, const char *key,
			   const struct path *path, int flags);
struct fs_struct *initoverlayfs_enter_view(const struct path *tree);
void initoverlayfs_leave_view(struct fs_struct *before);
int initoverlayfs_set_console(const struct path *path);
void initoverlayfs_set_pwd(const struct path *path);
void initoverlayfs_set_size(struct inode *inode, loff_t size);
void initoverlayfs_blake2b(u8 *out, size_t out_len, const u8 *in,
			   size_t in_len);
void initoverlayfs_call_apart(void (*function)(void *data), void *data);
void initoverlayfs_give_way(void);
void initoverlayfs_truncate_all(const struct path *tmpfs);
void initoverlayfs_count_pages(unsigned long start, unsigned long end);
void initoverlayfs_free_pages(unsigned long start, unsigned long end,
			      bool counted);
bool initoverlayfs_in_crash_kernel(const void *start, const void *end);

#endif
