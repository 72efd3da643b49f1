//! Tries io_uring for real, and tells apart the ways in which a system can withhold it.

#![allow(unsafe_code)]

use std::{
    fs, io, mem,
    os::fd::{FromRawFd, OwnedFd},
    path::Path,
};

use super::Check;

const NAME: &str = "io_uring";

/// As small as a ring can be: the question is whether one is had at all.
const ENTRIES: libc::c_uint = 1;

/// Bytes of the kernel's `struct io_uring_params` (io_uring_setup(2)), which has not grown since io_uring began.
const PARAMETERS_BYTES: usize = 120;

/// Sets up a ring and lets it go; `root` stands for `/` when the reason for a refusal is looked up.
pub(super) fn check(root: &Path) -> Check {
    judge(set_up(), sysctl(root), confined(root))
}

fn set_up() -> io::Result<()> {
    #[repr(C, align(8))]
    struct Parameters([u8; PARAMETERS_BYTES]);

    // SAFETY: an array of bytes, for which zero is a value.
    let mut parameters: Parameters = unsafe { mem::zeroed() };
    // SAFETY: the kernel reads and writes one io_uring_params at the pointer, which this is large and aligned enough
    // for and which outlives the call.
    let ring = unsafe { libc::syscall(libc::SYS_io_uring_setup, ENTRIES, &raw mut parameters) };
    if ring < 0 {
        return Err(io::Error::last_os_error());
    }
    let ring = i32::try_from(ring).map_err(io::Error::other)?;
    // SAFETY: the call has just made this descriptor, and nobody else knows it.
    drop(unsafe { OwnedFd::from_raw_fd(ring) });
    Ok(())
}

/// `kernel.io_uring_disabled`: 0 all may use it, 1 only the privileged and one group, 2 nobody. Absent before 6.6.
fn sysctl(root: &Path) -> Option<u8> {
    fs::read_to_string(root.join("proc/sys/kernel/io_uring_disabled")).ok()?.trim().parse().ok()
}

/// Whether a seccomp filter is on this process: proc(5), `Seccomp:` 2 in status.
fn confined(root: &Path) -> bool {
    let status = fs::read_to_string(root.join("proc/self/status")).unwrap_or_default();
    status.lines().any(|line| line.strip_prefix("Seccomp:").is_some_and(|mode| mode.trim() == "2"))
}

pub(super) fn judge(outcome: io::Result<()>, sysctl: Option<u8>, confined: bool) -> Check {
    let Err(error) = outcome else { return Check::ok(NAME, "usable") };
    let refused = |why: &str, remedy: &str| Check::fatal(NAME, why, remedy);
    match (error.raw_os_error(), sysctl) {
        // Some filters pretend that the call does not exist.
        (Some(libc::ENOSYS), _) if confined => {
            refused("hidden by a seccomp filter, as container engines have by default", SECCOMP)
        }
        (Some(libc::ENOSYS), _) => refused(
            "not part of this kernel",
            "Run a kernel of version 5.6 or newer that is built with CONFIG_IO_URING.",
        ),
        (Some(libc::EPERM), Some(2)) => refused(
            "switched off for everyone (kernel.io_uring_disabled is 2)",
            "Allow it: `sysctl -w kernel.io_uring_disabled=0` as root on the host, and the same in /etc/sysctl.d/ to \
             keep it.",
        ),
        (Some(libc::EPERM), Some(1)) => refused(
            "allowed only to the privileged (kernel.io_uring_disabled is 1)",
            "Put the user into the group whose number is in kernel.io_uring_group, or allow it to all: `sysctl -w \
             kernel.io_uring_disabled=0` as root on the host.",
        ),
        (Some(libc::EPERM | libc::EACCES), _) if confined => {
            refused("forbidden by a seccomp filter, as container engines have by default", SECCOMP)
        }
        (Some(libc::EPERM | libc::EACCES), _) => refused(
            "forbidden by a security policy",
            "Ask the machine's security policy (SELinux, AppArmor, or the sandbox this runs in) to allow io_uring.",
        ),
        (Some(libc::ENOMEM), _) => refused(
            "refused for want of lockable memory",
            "Raise the limit on locked memory: `LimitMEMLOCK=infinity` in a systemd unit, `--ulimit memlock=-1` for a \
             container, or `ulimit -l unlimited` in the shell.",
        ),
        (Some(libc::EMFILE | libc::ENFILE), _) => refused(
            "refused for want of file descriptors",
            "Raise the limit on open files: `LimitNOFILE=` in a systemd unit, `--ulimit nofile=` for a container, or \
             `ulimit -n` in the shell.",
        ),
        _ => refused(&format!("cannot be set up: {error}"), "It is needed, so run on a system that grants it."),
    }
}

const SECCOMP: &str = "Run the container with a profile that allows io_uring_setup, io_uring_enter and \
                       io_uring_register, or without one: `--security-opt seccomp=unconfined`.";
