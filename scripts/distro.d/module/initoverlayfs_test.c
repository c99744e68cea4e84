// SPDX-License-Identifier: GPL-2.0-only
/*
 * A module as DKMS would build it, against the headers package: scripts/distro.d/kernel. It is loaded
 * in the initrd, and finds its firmware there.
 */
#include <linux/device/faux.h>
#include <linux/firmware.h>
#include <linux/module.h>

#define FIRMWARE "initoverlayfs-test.bin"

static struct faux_device *device;

static int __init initoverlayfs_test_init(void)
{
	const struct firmware *firmware;
	int error;

	device = faux_device_create("initoverlayfs-test", NULL, NULL);
	if (!device)
		return -ENODEV;
	error = request_firmware(&firmware, FIRMWARE, &device->dev);
	if (error) {
		faux_device_destroy(device);
		return error;
	}
	/* With the prefix of the lines that a boot reports. */
	pr_info("initoverlayfs: test module: %zu bytes of firmware\n", firmware->size);
	release_firmware(firmware);
	return 0;
}
module_init(initoverlayfs_test_init);

static void __exit initoverlayfs_test_exit(void)
{
	faux_device_destroy(device);
}
module_exit(initoverlayfs_test_exit);

MODULE_DESCRIPTION("Test of a kernel's package");
MODULE_FIRMWARE(FIRMWARE);
MODULE_LICENSE("GPL");
