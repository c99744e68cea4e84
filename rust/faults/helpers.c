// SPDX-License-Identifier: GPL-2.0-only
/*
 * Makes one allocation of the calling thread fail.
 *
 * The kernel's own failslab and fail_page_alloc leave allocations alone that may
 * wait, and are told otherwise through debugfs only, which is long after us. So
 * their hooks are overridden, the way fail_function does it.
 */

#include <linux/error-injection.h>
#include <linux/errno.h>
#include <linux/gfp.h>
#include <linux/kprobes.h>
#include <linux/ptrace.h>
#include <linux/sched.h>

#include "helpers.h"

static struct task_struct *victim;
static unsigned int countdown;
static bool hit;
static bool spared;

static int maybe_fail(struct pt_regs *regs, gfp_t flags, unsigned long result)
{
	if (current != victim || !countdown || spared ||
	    flags & __GFP_NOFAIL)
		return 0;
	if (--countdown)
		return 0;
	hit = true;
	regs_set_return_value(regs, result);
	override_function_with_return(regs);
	return 1;
}
NOKPROBE_SYMBOL(maybe_fail);

/* int should_failslab(struct kmem_cache *cache, gfp_t flags) */
static int on_slab(struct kprobe *probe, struct pt_regs *regs)
{
	return maybe_fail(regs, regs_get_kernel_argument(regs, 1), -ENOMEM);
}
NOKPROBE_SYMBOL(on_slab);

/* bool should_fail_alloc_page(gfp_t flags, unsigned int order) */
static int on_page(struct kprobe *probe, struct pt_regs *regs)
{
	return maybe_fail(regs, regs_get_kernel_argument(regs, 0), true);
}
NOKPROBE_SYMBOL(on_page);

/* A probe without one may be optimised into a jump, which cannot override. */
static void on_nothing(struct kprobe *probe, struct pt_regs *regs,
		       unsigned long flags)
{
}
NOKPROBE_SYMBOL(on_nothing);

static struct kprobe slab = {
	.symbol_name = "should_failslab",
	.pre_handler = on_slab,
	.post_handler = on_nothing,
};

static struct kprobe page = {
	.symbol_name = "should_fail_alloc_page",
	.pre_handler = on_page,
	.post_handler = on_nothing,
};

/*
 * Hooks in, once and for good. Nothing fails before the first
 * initoverlayfs_faults_arm().
 */
int initoverlayfs_faults_start(void)
{
	static bool started;
	int error;

	if (started)
		return 0;
	error = register_kprobe(&slab);
	if (error)
		return error;
	error = register_kprobe(&page);
	if (error)
		unregister_kprobe(&slab);
	started = !error;
	return error;
}

/* Lets the nth allocation from now on fail. */
void initoverlayfs_faults_arm(unsigned int nth)
{
	hit = false;
	victim = current;
	countdown = nth;
}

/* Lets no more fail. Returns whether one did. */
bool initoverlayfs_faults_disarm(void)
{
	countdown = 0;
	return hit;
}

/* Whether to let allocations pass, uncounted, for a while. */
void initoverlayfs_faults_spare(bool spare)
{
	spared = spare;
}
