/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What bindgen reads for the functions that the kernel crate does not bind.
 */

#include <crypto/sha2.h>
#include <linux/async.h>
#include <linux/blkdev.h>
#include <linux/crc32.h>
#include <linux/device.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/fs_context.h>
#include <linux/init.h>
#include <linux/initrd.h>
#include <linux/kobject.h>
#include <linux/magic.h>
#include <linux/mm.h>
#include <linux/mount.h>
#include <linux/pagemap.h>
#include <linux/panic.h>
#include <linux/sched/clock.h>
#include <linux/security.h>
#include <linux/stat.h>
#include <linux/statfs.h>
#include <linux/sysfs.h>
#include <linux/task_work.h>
#include <linux/verification.h>
#include <linux/xxhash.h>

/* Declared only where it is defined, in init/initramfs.c. */
char *unpack_to_rootfs(char *buf, unsigned long len);

#include "../../source/disk/helpers.h"
#include "../../faults/helpers.h"
#include "../helpers.h"
#include "../../kunit/helpers.h"

/* A macro that bindgen does not evaluate, in the type that our callee wants. */
const size_t INITOVERLAYFS_SECONDARY_KEYRING =
	(size_t)VERIFY_USE_SECONDARY_KEYRING;

/* Where the members that we touch are: see layout.rs. */
#define INITOVERLAYFS_OFFSET(type, member) \
	const size_t INITOVERLAYFS_OFFSET_##type##_##member = \
		offsetof(struct type, member)

INITOVERLAYFS_OFFSET(inode, i_ino);
INITOVERLAYFS_OFFSET(inode, i_mode);
INITOVERLAYFS_OFFSET(inode, i_op);
INITOVERLAYFS_OFFSET(inode, i_mapping);
INITOVERLAYFS_OFFSET(inode, i_sb);
INITOVERLAYFS_OFFSET(super_block, s_root);
INITOVERLAYFS_OFFSET(super_block, s_fs_info);
INITOVERLAYFS_OFFSET(super_block, s_maxbytes);
INITOVERLAYFS_OFFSET(super_block, s_time_gran);
INITOVERLAYFS_OFFSET(file, f_inode);
INITOVERLAYFS_OFFSET(kiocb, ki_filp);
INITOVERLAYFS_OFFSET(kiocb, ki_pos);
INITOVERLAYFS_OFFSET(address_space, a_ops);
INITOVERLAYFS_OFFSET(vfsmount, mnt_root);
INITOVERLAYFS_OFFSET(path, mnt);
INITOVERLAYFS_OFFSET(path, dentry);
INITOVERLAYFS_OFFSET(fs_context, ops);
INITOVERLAYFS_OFFSET(fs_context, s_fs_info);
INITOVERLAYFS_OFFSET(fs_context_operations, free);
INITOVERLAYFS_OFFSET(fs_context_operations, get_tree);
INITOVERLAYFS_OFFSET(file_operations, llseek);
INITOVERLAYFS_OFFSET(file_operations, read_iter);
INITOVERLAYFS_OFFSET(address_space_operations, read_folio);
INITOVERLAYFS_OFFSET(file_system_type, name);
INITOVERLAYFS_OFFSET(file_system_type, init_fs_context);
INITOVERLAYFS_OFFSET(file_system_type, kill_sb);
INITOVERLAYFS_OFFSET(kstat, mode);
INITOVERLAYFS_OFFSET(kstat, dev);
INITOVERLAYFS_OFFSET(kstat, uid);
INITOVERLAYFS_OFFSET(kstat, gid);
INITOVERLAYFS_OFFSET(kstat, mtime);
INITOVERLAYFS_OFFSET(kstatfs, f_bsize);
INITOVERLAYFS_OFFSET(kstatfs, f_blocks);
INITOVERLAYFS_OFFSET(kstatfs, f_files);
INITOVERLAYFS_OFFSET(kstatfs, f_bfree);
INITOVERLAYFS_OFFSET(kstatfs, f_ffree);
INITOVERLAYFS_OFFSET(gendisk, private_data);
INITOVERLAYFS_OFFSET(block_device_operations, release);
INITOVERLAYFS_OFFSET(bin_attribute, attr);
INITOVERLAYFS_OFFSET(bin_attribute, size);
INITOVERLAYFS_OFFSET(bin_attribute, private);
INITOVERLAYFS_OFFSET(bin_attribute, read);
INITOVERLAYFS_OFFSET(attribute, name);
INITOVERLAYFS_OFFSET(attribute, mode);
INITOVERLAYFS_OFFSET(iov_iter, data_source);

/* How large what we reserve memory for is. */
#define INITOVERLAYFS_SIZE(type) \
	const size_t INITOVERLAYFS_SIZE_##type = sizeof(struct type)

INITOVERLAYFS_SIZE(sha256_ctx);
INITOVERLAYFS_SIZE(sha512_ctx);
INITOVERLAYFS_SIZE(kstat);
INITOVERLAYFS_SIZE(kstatfs);
INITOVERLAYFS_SIZE(path);
INITOVERLAYFS_SIZE(bin_attribute);
INITOVERLAYFS_SIZE(file_system_type);
INITOVERLAYFS_SIZE(fs_context_operations);
INITOVERLAYFS_SIZE(file_operations);
INITOVERLAYFS_SIZE(address_space_operations);
INITOVERLAYFS_SIZE(block_device_operations);
