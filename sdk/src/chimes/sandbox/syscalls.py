"""The traced system calls by their effect, with the positions of the arguments that the trace needs."""

from __future__ import annotations

__all__ = ["ADDRESSES", "CHANGES", "CONTROLS", "FORKS", "OPENS", "PRIVILEGED", "RAW", "SIGNALS", "TRACED"]

# Call -> (verb, positions of folder and path). No folder: the call takes a path alone.
CHANGES: dict[str, tuple[str, tuple[tuple[int | None, int], ...]]] = {
    "mkdir": ("mkdir", ((None, 0),)),
    "mkdirat": ("mkdir", ((0, 1),)),
    "mknod": ("mknod", ((None, 0),)),
    "mknodat": ("mknod", ((0, 1),)),
    "rmdir": ("rmdir", ((None, 0),)),
    "unlink": ("unlink", ((None, 0),)),
    "unlinkat": ("unlink", ((0, 1),)),
    "rename": ("rename", ((None, 0), (None, 1))),
    "renameat": ("rename", ((0, 1), (2, 3))),
    "renameat2": ("rename", ((0, 1), (2, 3))),
    "symlink": ("symlink", ((None, 1),)),
    "symlinkat": ("symlink", ((1, 2),)),
    "link": ("link", ((None, 1),)),
    "linkat": ("link", ((2, 3),)),
    "chmod": ("chmod", ((None, 0),)),
    "fchmodat": ("chmod", ((0, 1),)),
    "fchmodat2": ("chmod", ((0, 1),)),
    "chown": ("chown", ((None, 0),)),
    "lchown": ("chown", ((None, 0),)),
    "fchownat": ("chown", ((0, 1),)),
    "truncate": ("truncate", ((None, 0),)),
    "setxattr": ("setxattr", ((None, 0),)),
    "lsetxattr": ("setxattr", ((None, 0),)),
}
# Call -> positions of folder, path and flags.
OPENS: dict[str, tuple[int | None, int, int | None]] = {
    "open": (None, 0, 1),
    "openat": (0, 1, 2),
    "openat2": (0, 1, 2),
    "creat": (None, 0, None),
}
# Call -> position of the address.
ADDRESSES = {"connect": 1, "bind": 1, "sendto": 4, "sendmsg": 1, "sendmmsg": 1}
# Call -> position of the signal; the process is the first argument.
SIGNALS = {"kill": 1, "tkill": 1, "tgkill": 2, "rt_sigqueueinfo": 1, "rt_tgsigqueueinfo": 2, "pidfd_send_signal": 1}
# Call -> (verb, position of the process).
CONTROLS = {
    "prlimit64": ("limit", 0),
    "sched_setaffinity": ("schedule", 0),
    "sched_setattr": ("schedule", 0),
    "sched_setparam": ("schedule", 0),
    "sched_setscheduler": ("schedule", 0),
    "setpriority": ("schedule", 1),
    "ioprio_set": ("schedule", 1),
}
FORKS = ("clone", "fork", "vfork")
PRIVILEGED = (
    *("mount", "umount2", "pivot_root", "chroot", "setns", "unshare", "open_tree", "move_mount", "fsopen"),
    *("bpf", "init_module", "finit_module", "delete_module", "kexec_load", "reboot", "swapon", "swapoff"),
    *("sethostname", "setdomainname", "settimeofday", "clock_settime", "iopl", "ioperm"),
)
RAW = (
    *("write", "pwrite64", "writev", "pwritev", "pwritev2"),
    *("fallocate", "ftruncate", "sendfile", "copy_file_range", "splice"),
)
OTHERS = (
    "socket",
    "execve",
    "execveat",
    "ptrace",
    "process_vm_writev",
    "pidfd_open",
    "chdir",
    "fchdir",
    "set_robust_list",
)
TRACED = (*CHANGES, *OPENS, *ADDRESSES, *SIGNALS, *CONTROLS, *FORKS, *PRIVILEGED, *RAW, *OTHERS)
