# SPDX-License-Identifier: GPL-2.0-only
#
# What our files say of places that are others in the kernel's tree.
s|Documentation/kernel-parameters\.txt|Documentation/admin-guide/kernel-parameters.txt|g
s|Documentation/image-format\.rst|Documentation/filesystems/initoverlayfs.rst|g
s|Documentation/boot\.rst of the project|Documentation/admin-guide/initoverlayfs.rst|g
