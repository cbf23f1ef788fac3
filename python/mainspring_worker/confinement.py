"""What the process of a session is kept from: processes, sockets, writing. Done by the kernel, and never undone.

A filter (seccomp) looks at the numbers of system calls and at plain arguments; it cannot follow pointers. So it forbids
whole system calls, and who may write where is left to Landlock, which knows paths.

It holds what functions do by themselves, in whatever language. It is no wall around hostile code: such code still has
the rights of the server's user, over its other processes for one.
"""

import contextlib
import ctypes
import os
import platform
import resource
import shutil
import struct
import tempfile

EPERM, EACCES, ENOSYS = 1, 13, 38

PR_SET_NO_NEW_PRIVS = 38
SECCOMP_SET_MODE_FILTER = 1
SECCOMP_FILTER_FLAG_TSYNC = 1

# The process gets an error in place of what it asked for.
RET_ERRNO = 0x00050000
RET_ALLOW = 0x7FFF0000
LOAD, JUMP_EQUAL, JUMP_AT_LEAST, JUMP_ANY_BIT, RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
# Where the kernel shows them to a filter.
CALL_AT, MACHINE_AT, FIRST_ARGUMENT_AT, SECOND_ARGUMENT_AT = 0, 4, 16, 24
CLONE_THREAD = 0x00010000
# Operations of ioctl that change a file's flags, and need no right to write to it.
FS_IOC_SETFLAGS, FS_IOC_FSSETXATTR = 0x40086602, 0x401C5820

# Ways around: into other processes, into other descriptors, around the filter, around the paths.
ALWAYS = (
    "ptrace process_vm_readv process_vm_writev pidfd_getfd io_uring_setup bpf mount umount2 pivot_root move_mount fsopen "
    "open_tree open_tree_attr mount_setattr setns unshare init_module finit_module kexec_load kexec_file_load "
    "open_by_handle_at swapon acct"
).split()
STARTING = "fork vfork execve execveat".split()
# Landlock does not know of these.
ATTRIBUTES = (
    "chmod fchmod fchmodat fchmodat2 chown fchown lchown fchownat setxattr lsetxattr fsetxattr setxattrat removexattr "
    "lremovexattr fremovexattr removexattrat file_setattr utime utimes futimesat utimensat"
).split()

# The machine's number, and those of its system calls. One that a machine does not have is not there.
MACHINES = {
    "x86_64": (
        0xC000003E,
        dict(
            seccomp=317, ioctl=16, socket=41, clone=56, clone3=435, fork=57, vfork=58, execve=59, execveat=322, ptrace=101,
            process_vm_readv=310, process_vm_writev=311, pidfd_getfd=438, io_uring_setup=425, bpf=321, mount=165,
            umount2=166, pivot_root=155, move_mount=429, fsopen=430, open_tree=428, open_tree_attr=467, mount_setattr=442,
            setns=308, unshare=272, init_module=175, finit_module=313, kexec_load=246, kexec_file_load=320, open_by_handle_at=304,
            swapon=167, acct=163, chmod=90, fchmod=91, fchmodat=268, fchmodat2=452, chown=92, fchown=93, lchown=94,
            fchownat=260, setxattr=188, lsetxattr=189, fsetxattr=190, setxattrat=463, removexattr=197, lremovexattr=198,
            fremovexattr=199, removexattrat=466, file_setattr=469, utime=132, utimes=235, futimesat=261, utimensat=280,
        ),
    ),
    "aarch64": (
        0xC00000B7,
        dict(
            seccomp=277, ioctl=29, socket=198, clone=220, clone3=435, execve=221, execveat=281, ptrace=117,
            process_vm_readv=270, process_vm_writev=271, pidfd_getfd=438, io_uring_setup=425, bpf=280, mount=40, umount2=39, pivot_root=41,
            move_mount=429, fsopen=430, open_tree=428, open_tree_attr=467, mount_setattr=442, setns=268, unshare=97,
            init_module=105, finit_module=273, kexec_load=104, kexec_file_load=294, open_by_handle_at=265, swapon=224, acct=89, fchmod=52,
            fchmodat=53, fchmodat2=452, fchownat=54, fchown=55, setxattr=5, lsetxattr=6, fsetxattr=7, setxattrat=463,
            removexattr=14, lremovexattr=15, fremovexattr=16, removexattrat=466, file_setattr=469, utimensat=88,
        ),
    ),
}  # fmt: skip
# Beyond these numbers x86-64 offers its system calls once more, in another guise.
SECOND_GUISE = 0x40000000

# Landlock has the same numbers on every machine.
CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446
WRITE_FILE, TRUNCATE = 1 << 1, 1 << 14
# Everything that its version 3 knows but reading and executing: writing, removing, making, moving, truncating.
CHANGES = WRITE_FILE | 0b0111_1111_1111_0000
LANDLOCK_ABI_MIN = 3
# What is written to without a trace.
DEVICES = ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom", "/dev/tty")

_libc = ctypes.CDLL(None, use_errno=True)


class Unavailable(Exception):
    """What was to be forbidden could not be."""


def system_call(number, *arguments):
    made = [ctypes.c_long(value) if isinstance(value, int) else value for value in arguments]
    result = _libc.syscall(ctypes.c_long(number), *made)
    if result == -1:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))
    return result


def limit_files(count):
    """Open descriptors, for the rest of the process's life."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY:
        count = min(count, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (count, count))


def confine(forbidden, in_every_thread):
    """Forbids for good. `in_every_thread` calls a function once in each thread that there is."""
    try:
        machine = MACHINES.get(platform.machine())
        if machine is None:
            raise Unavailable("there is no filter of system calls for %s" % platform.machine())
        if "writing" in forbidden:
            rules = writing_rules()
            try:
                # Landlock binds threads one by one, and those that they start.
                in_every_thread(lambda: bind(rules))
            finally:
                os.close(rules)
        no_new_privileges()
        install(machine, program(machine, forbidden))
    except OSError as error:
        raise Unavailable(str(error)) from error


def no_new_privileges():
    if _libc.prctl(PR_SET_NO_NEW_PRIVS, *map(ctypes.c_ulong, (1, 0, 0, 0))):
        raise OSError(ctypes.get_errno(), "prctl")


def bind(rules):
    no_new_privileges()
    system_call(RESTRICT_SELF, rules, 0)


def own_directory(pid):
    """The one place where a process that may not write may write."""
    return os.path.join(tempfile.gettempdir(), "mainspring-worker-%d" % pid)


def remove_own_directory(pid):
    """By the zygote, when the process has ended; or by the next one, should the zygote have been killed before."""
    # It is mostly not there; and there may be no place for it at all.
    with contextlib.suppress(OSError):
        path = own_directory(pid)
        if os.lstat(path).st_uid == os.geteuid():
            shutil.rmtree(path, ignore_errors=True)


def writing_rules():
    """A descriptor of rules: no changes but in a directory of its own, and to devices that keep nothing."""
    abi = system_call(CREATE_RULESET, None, 0, 1)
    if abi < LANDLOCK_ABI_MIN:
        raise Unavailable("Landlock is too old: its version is %d" % abi)
    attributes = struct.pack("=Q", CHANGES)
    rules = system_call(CREATE_RULESET, attributes, len(attributes), 0)
    own = own_directory(os.getpid())
    remove_own_directory(os.getpid())
    # Fails where somebody else has made it.
    os.mkdir(own, 0o700)
    allow(rules, own, CHANGES)
    for device in DEVICES:
        if os.path.exists(device):
            allow(rules, device, WRITE_FILE | TRUNCATE)
    os.environ["TMPDIR"] = tempfile.tempdir = own
    return rules


def allow(rules, path, access):
    there = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        beneath = struct.pack("=Qi", access, there)
        system_call(ADD_RULE, rules, 1, beneath, 0)
    finally:
        os.close(there)


def program(machine, forbidden):
    """The filter, as instructions (code, jump if true, jump if false, operand)."""
    identity, numbers = machine
    filtered = [
        (LOAD, 0, 0, MACHINE_AT),
        (JUMP_EQUAL, 1, 0, identity),
        (RETURN, 0, 0, RET_ERRNO | ENOSYS),
        (LOAD, 0, 0, CALL_AT),
        (JUMP_AT_LEAST, 0, 1, SECOND_GUISE),
        (RETURN, 0, 0, RET_ERRNO | ENOSYS),
    ]

    def refuse(names, error):
        for name in names:
            if name in numbers:
                filtered.extend([(JUMP_EQUAL, 0, 1, numbers[name]), (RETURN, 0, 0, RET_ERRNO | error)])

    refuse(ALWAYS, EPERM)
    if "network" in forbidden:
        refuse(["socket"], EACCES)
    if "writing" in forbidden:
        refuse(ATTRIBUTES, EPERM)
        filtered += [
            (JUMP_EQUAL, 0, 5, numbers["ioctl"]),
            (LOAD, 0, 0, SECOND_ARGUMENT_AT),
            (JUMP_EQUAL, 1, 0, FS_IOC_SETFLAGS),
            (JUMP_EQUAL, 0, 1, FS_IOC_FSSETXATTR),
            (RETURN, 0, 0, RET_ERRNO | EPERM),
            (LOAD, 0, 0, CALL_AT),
        ]
    if "processes" in forbidden:
        refuse(STARTING, EPERM)
        # Its flags are behind a pointer. Without it the C library makes threads with clone.
        refuse(["clone3"], ENOSYS)
        filtered += [
            (JUMP_EQUAL, 0, 4, numbers["clone"]),
            (LOAD, 0, 0, FIRST_ARGUMENT_AT),
            (JUMP_ANY_BIT, 1, 0, CLONE_THREAD),
            (RETURN, 0, 0, RET_ERRNO | EPERM),
            (LOAD, 0, 0, CALL_AT),
        ]
    filtered.append((RETURN, 0, 0, RET_ALLOW))
    return filtered


def install(machine, filtered):
    """For all threads that there are, and all that will be."""
    code = b"".join(struct.pack("=HBBI", *instruction) for instruction in filtered)
    code = ctypes.create_string_buffer(code, len(code))
    # The kernel's struct sock_fprog, padding included.
    described = struct.pack("@HP", len(filtered), ctypes.addressof(code))
    failed = system_call(machine[1]["seccomp"], SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, described)
    if failed:
        raise Unavailable("thread %d cannot be confined" % failed)
