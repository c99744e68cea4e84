/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _INITOVERLAYFS_DISK_HELPERS_H
#define _INITOVERLAYFS_DISK_HELPERS_H

#include <linux/blk-mq.h>
#include <linux/blkdev.h>

typedef int (*initoverlayfs_copy_fn)(void *data, loff_t position,
				     struct iov_iter *iter);

int initoverlayfs_request_copy(struct request *rq, initoverlayfs_copy_fn copy,
			       void *data);
struct gendisk *initoverlayfs_disk_of(const struct blk_mq_tag_set *set);
void initoverlayfs_disk_fill(struct gendisk *disk,
			     const struct block_device_operations *fops,
			     sector_t sectors, bool read_only);
dev_t initoverlayfs_disk_number(const struct gendisk *disk);
struct file *initoverlayfs_disk_open(const struct gendisk *disk);
unsigned int initoverlayfs_disk_openers(struct gendisk *disk);

#endif
