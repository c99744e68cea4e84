/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _INITOVERLAYFS_FAULTS_HELPERS_H
#define _INITOVERLAYFS_FAULTS_HELPERS_H

#include <linux/types.h>

int initoverlayfs_faults_start(void);
void initoverlayfs_faults_arm(unsigned int nth);
bool initoverlayfs_faults_disarm(void);
void initoverlayfs_faults_spare(bool spare);

#endif
