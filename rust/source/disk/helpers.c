// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the kernel crate's block::mq does not reach: the data of a request, the
 * disk behind a tag set, and inline functions of the block layer's headers.
 */

#include <linux/blk-mq.h>
#include <linux/blkdev.h>
#include <linux/uio.h>

#include "helpers.h"

/*
 * Have copy read from, or write to, each bio of a request that reads or writes.
 * Of a bio that was split, the first segment may have been served in part.
 */
int initoverlayfs_request_copy(struct request *rq, initoverlayfs_copy_fn copy,
			       void *data)
{
	loff_t position = (loff_t)blk_rq_pos(rq) << SECTOR_SHIFT;
	unsigned int direction;
	struct bio *bio;

	switch (req_op(rq)) {
	case REQ_OP_READ:
		direction = ITER_DEST;
		break;
	case REQ_OP_WRITE:
		direction = ITER_SOURCE;
		break;
	default:
		return -EOPNOTSUPP;
	}
	__rq_for_each_bio(bio, rq) {
		struct iov_iter iter;
		int err;

		iov_iter_bvec(&iter, direction,
			      __bvec_iter_bvec(bio->bi_io_vec, bio->bi_iter),
			      bio_segments(bio), bio->bi_iter.bi_size);
		iter.iov_offset = bio->bi_iter.bi_offset;
		err = copy(data, position, &iter);
		if (err)
			return err;
		position += bio->bi_iter.bi_size;
	}
	return 0;
}

/* The disk of a tag set that serves one, which has been added. */
struct gendisk *initoverlayfs_disk_of(const struct blk_mq_tag_set *set)
{
	return list_first_entry(&set->tag_list, struct request_queue,
				tag_set_list)->disk;
}

/*
 * Give a disk that was added without any sectors, so that nobody looked for
 * partitions in it, its operations and its sectors.
 */
void initoverlayfs_disk_fill(struct gendisk *disk,
			     const struct block_device_operations *fops,
			     sector_t sectors, bool read_only)
{
	disk->flags |= GENHD_FL_NO_PART;
	disk->fops = fops;
	set_disk_ro(disk, read_only);
	set_capacity(disk, sectors);
}

dev_t initoverlayfs_disk_number(const struct gendisk *disk)
{
	return disk_devt((struct gendisk *)disk);
}

/* Open it, for nobody in particular. */
struct file *initoverlayfs_disk_open(const struct gendisk *disk)
{
	return bdev_file_open_by_dev(initoverlayfs_disk_number(disk),
				     BLK_OPEN_READ, NULL, NULL);
}

unsigned int initoverlayfs_disk_openers(struct gendisk *disk)
{
	return disk_openers(disk);
}
