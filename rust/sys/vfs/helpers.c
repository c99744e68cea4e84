// SPDX-License-Identifier: GPL-2.0-only

#include <linux/cred.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/fs_context.h>
#include <linux/fs_struct.h>
#include <linux/kdev_t.h>

#include "helpers.h"

/*
 * The task's layout depends on alignments that bindgen does not always get
 * right.
 */
__rust_helper struct fs_struct *rust_helper_current_fs(void)
{
	return current->fs;
}

__rust_helper u32 rust_helper_new_encode_dev(dev_t dev)
{
	return new_encode_dev(dev);
}

__rust_helper int rust_helper_vfs_parse_fs_string(struct fs_context *fc,
						  const char *key,
						  const char *value)
{
	return vfs_parse_fs_string(fc, key, value);
}

/*
 * The same with a file opened at path. fs_parameter has a bit field and an
 * unnamed union.
 */
__rust_helper int rust_helper_vfs_parse_fs_path(struct fs_context *fc,
						const char *key,
						const struct path *path,
						int flags)
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
