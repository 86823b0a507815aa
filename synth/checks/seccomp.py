"""The system calls that a sandboxed program may not make, as a BPF program for bubblewrap."""

import errno
import socket
from typing import IO

from configs.loader import ConfigError

# Our choice: calls that reach other processes, namespaces, keys, the kernel or its counters, and memory that
# no rlimit counts (System V segments and queues). The problems need none of them.
DENIED = (
    *("ptrace", "process_vm_readv", "process_vm_writev", "userfaultfd", "personality"),
    *("mount", "umount2", "pivot_root", "move_mount", "fsopen", "fsconfig", "fsmount", "open_tree"),
    *("unshare", "setns", "keyctl", "add_key", "request_key", "bpf", "perf_event_open"),
    *("pidfd_getfd", "process_madvise", "shmget", "semget", "msgget", "mq_open"),
    *("io_uring_setup", "io_uring_enter", "init_module", "finit_module", "delete_module", "kexec_load"),
)
CLONE_NEWUSER = 0x10000000  # linux/sched.h


def write_filter(file: IO[bytes]) -> None:
    """Write the filter program to an open file. Raises ConfigError if libseccomp is missing."""
    try:
        import pyseccomp
    except (ImportError, RuntimeError, OSError) as error:
        raise ConfigError(
            f"sandbox: libseccomp cannot be loaded ({error}); remedy: apt install libseccomp2"
        ) from None
    rules = pyseccomp.SyscallFilter(pyseccomp.ALLOW)
    for name in DENIED:
        rules.add_rule(pyseccomp.ERRNO(errno.EPERM), name)
    rules.add_rule(
        pyseccomp.ERRNO(errno.EPERM),
        "clone",
        pyseccomp.Arg(0, pyseccomp.MASKED_EQ, CLONE_NEWUSER, CLONE_NEWUSER),
    )
    # A filter cannot read the flags of clone3; the error "not implemented" makes libc use clone instead.
    rules.add_rule(pyseccomp.ERRNO(errno.ENOSYS), "clone3")
    rules.add_rule(
        pyseccomp.ERRNO(errno.EPERM), "socket", pyseccomp.Arg(0, pyseccomp.NE, int(socket.AF_UNIX))
    )
    rules.export_bpf(file)
