//! The calls that end the process: workerd never makes them, and an attacker should not get to try twice.

use std::ffi::c_long;

use super::{Calls, Facts, Kind, Test, bits, unconditional};

const ALWAYS: &[c_long] = &[
    // Other processes.
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_process_madvise,
    libc::SYS_process_mrelease,
    libc::SYS_pidfd_getfd,
    libc::SYS_kcmp,
    libc::SYS_execveat,
    // Large parts of the kernel that are often its weak spots.
    libc::SYS_bpf,
    libc::SYS_perf_event_open,
    libc::SYS_userfaultfd,
    libc::SYS_io_uring_setup,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    libc::SYS_keyctl,
    libc::SYS_add_key,
    libc::SYS_request_key,
    // Namespaces and mounts.
    libc::SYS_unshare,
    libc::SYS_setns,
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_pivot_root,
    libc::SYS_chroot,
    libc::SYS_open_tree,
    libc::SYS_move_mount,
    libc::SYS_fsopen,
    libc::SYS_fsconfig,
    libc::SYS_fsmount,
    libc::SYS_fspick,
    libc::SYS_mount_setattr,
    libc::SYS_name_to_handle_at,
    libc::SYS_open_by_handle_at,
    libc::SYS_fanotify_init,
    // The machine.
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_kexec_load,
    libc::SYS_kexec_file_load,
    libc::SYS_reboot,
    libc::SYS_swapon,
    libc::SYS_swapoff,
    libc::SYS_acct,
    libc::SYS_quotactl,
    libc::SYS_settimeofday,
    libc::SYS_clock_settime,
    libc::SYS_syslog,
];

#[cfg(target_arch = "x86_64")]
const OLDER: &[c_long] = &[libc::SYS_iopl, libc::SYS_ioperm, libc::SYS_modify_ldt];
#[cfg(not(target_arch = "x86_64"))]
const OLDER: &[c_long] = &[];

/// `clone` into a new namespace of any kind. CLONE_NEWTIME is none of its flags.
pub(super) const NAMESPACES: [i32; 7] = [
    libc::CLONE_NEWNS,
    libc::CLONE_NEWCGROUP,
    libc::CLONE_NEWUTS,
    libc::CLONE_NEWIPC,
    libc::CLONE_NEWUSER,
    libc::CLONE_NEWPID,
    libc::CLONE_NEWNET,
];

pub(super) fn calls(facts: &Facts) -> Calls {
    let mut calls = unconditional(&[ALWAYS, OLDER]);
    let namespaces = NAMESPACES.map(|flag| vec![Test(0, Kind::Bits(bits(flag), bits(flag)))]);
    calls.insert(libc::SYS_clone, namespaces.into());
    // No filter can count to one. But the launcher's own path lies at an address that nobody else knows, and that is
    // gone when workerd runs; who guesses wrong has no second guess. (Landlock then has only workerd and its loader
    // executed, in this same jail.)
    calls.insert(
        libc::SYS_execve,
        vec![vec![Test(0, Kind::OtherPointer(facts.path_address))]],
    );
    calls
}
