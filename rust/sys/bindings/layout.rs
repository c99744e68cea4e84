// SPDX-License-Identifier: GPL-2.0-only

//! Proof that Rust and C agree on the structures that we look into.
//!
//! `bindgen` has been seen to misplace members of large structures whose parts are aligned to cache
//! lines (`task_struct`, with bindgen 0.73.2). So `bindings_helper.h` has the C compiler say where
//! each member is that we touch, and a build in which Rust disagrees fails here.

use core::mem::{
    offset_of,
    size_of, //
};

macro_rules! assert_offsets {
    ($($type:ident { $($member:ident: $offset:ident),* $(,)? })*) => {
        $($(
            const _: () = assert!(offset_of!(super::$type, $member) == super::$offset);
        )*)*
    };
}

assert_offsets! {
    inode {
        i_ino: INITOVERLAYFS_OFFSET_inode_i_ino,
        i_mode: INITOVERLAYFS_OFFSET_inode_i_mode,
        i_op: INITOVERLAYFS_OFFSET_inode_i_op,
        i_mapping: INITOVERLAYFS_OFFSET_inode_i_mapping,
        i_sb: INITOVERLAYFS_OFFSET_inode_i_sb,
    }
    super_block {
        s_root: INITOVERLAYFS_OFFSET_super_block_s_root,
        s_fs_info: INITOVERLAYFS_OFFSET_super_block_s_fs_info,
        s_maxbytes: INITOVERLAYFS_OFFSET_super_block_s_maxbytes,
        s_time_gran: INITOVERLAYFS_OFFSET_super_block_s_time_gran,
    }
    file {
        f_inode: INITOVERLAYFS_OFFSET_file_f_inode,
    }
    kiocb {
        ki_filp: INITOVERLAYFS_OFFSET_kiocb_ki_filp,
        ki_pos: INITOVERLAYFS_OFFSET_kiocb_ki_pos,
    }
    address_space {
        a_ops: INITOVERLAYFS_OFFSET_address_space_a_ops,
    }
    vfsmount {
        mnt_root: INITOVERLAYFS_OFFSET_vfsmount_mnt_root,
    }
    path {
        mnt: INITOVERLAYFS_OFFSET_path_mnt,
        dentry: INITOVERLAYFS_OFFSET_path_dentry,
    }
    fs_context {
        ops: INITOVERLAYFS_OFFSET_fs_context_ops,
        s_fs_info: INITOVERLAYFS_OFFSET_fs_context_s_fs_info,
    }
    fs_context_operations {
        free: INITOVERLAYFS_OFFSET_fs_context_operations_free,
        get_tree: INITOVERLAYFS_OFFSET_fs_context_operations_get_tree,
    }
    file_operations {
        llseek: INITOVERLAYFS_OFFSET_file_operations_llseek,
        read_iter: INITOVERLAYFS_OFFSET_file_operations_read_iter,
    }
    address_space_operations {
        read_folio: INITOVERLAYFS_OFFSET_address_space_operations_read_folio,
    }
    file_system_type {
        name: INITOVERLAYFS_OFFSET_file_system_type_name,
        init_fs_context: INITOVERLAYFS_OFFSET_file_system_type_init_fs_context,
        kill_sb: INITOVERLAYFS_OFFSET_file_system_type_kill_sb,
    }
    kstat {
        mode: INITOVERLAYFS_OFFSET_kstat_mode,
        dev: INITOVERLAYFS_OFFSET_kstat_dev,
        uid: INITOVERLAYFS_OFFSET_kstat_uid,
        gid: INITOVERLAYFS_OFFSET_kstat_gid,
        mtime: INITOVERLAYFS_OFFSET_kstat_mtime,
    }
    kstatfs {
        f_bsize: INITOVERLAYFS_OFFSET_kstatfs_f_bsize,
        f_blocks: INITOVERLAYFS_OFFSET_kstatfs_f_blocks,
        f_files: INITOVERLAYFS_OFFSET_kstatfs_f_files,
        f_bfree: INITOVERLAYFS_OFFSET_kstatfs_f_bfree,
        f_ffree: INITOVERLAYFS_OFFSET_kstatfs_f_ffree,
    }
    gendisk {
        private_data: INITOVERLAYFS_OFFSET_gendisk_private_data,
    }
    block_device_operations {
        release: INITOVERLAYFS_OFFSET_block_device_operations_release,
    }
    bin_attribute {
        attr: INITOVERLAYFS_OFFSET_bin_attribute_attr,
        size: INITOVERLAYFS_OFFSET_bin_attribute_size,
        private: INITOVERLAYFS_OFFSET_bin_attribute_private,
        read: INITOVERLAYFS_OFFSET_bin_attribute_read,
    }
    attribute {
        name: INITOVERLAYFS_OFFSET_attribute_name,
        mode: INITOVERLAYFS_OFFSET_attribute_mode,
    }
    iov_iter {
        data_source: INITOVERLAYFS_OFFSET_iov_iter_data_source,
    }
}

macro_rules! assert_sizes {
    ($($type:ident: $size:ident),* $(,)?) => {
        $(const _: () = assert!(size_of::<super::$type>() == super::$size);)*
    };
}

// What we reserve memory for, and C fills or reads.
assert_sizes! {
    sha256_ctx: INITOVERLAYFS_SIZE_sha256_ctx,
    sha512_ctx: INITOVERLAYFS_SIZE_sha512_ctx,
    kstat: INITOVERLAYFS_SIZE_kstat,
    kstatfs: INITOVERLAYFS_SIZE_kstatfs,
    path: INITOVERLAYFS_SIZE_path,
    bin_attribute: INITOVERLAYFS_SIZE_bin_attribute,
    file_system_type: INITOVERLAYFS_SIZE_file_system_type,
    fs_context_operations: INITOVERLAYFS_SIZE_fs_context_operations,
    file_operations: INITOVERLAYFS_SIZE_file_operations,
    address_space_operations: INITOVERLAYFS_SIZE_address_space_operations,
    block_device_operations: INITOVERLAYFS_SIZE_block_device_operations,
}
