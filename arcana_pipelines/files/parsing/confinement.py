"""What a process that reads a stranger's file may still do: compute, read programs and that file, write beside it.

Of Linux: limits of resources, a filter of system calls (seccomp) and one of paths (Landlock). None needs a privilege or
a package. Where a kernel or a container refuses one of the two filters the process runs without, and says so.
"""

from __future__ import annotations

import ctypes
import json
import os
import platform
import resource
import signal
import struct
import sys
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

MEMORY_BYTES = 2**30
CPU_SECONDS = 60
LARGEST_FILE = 128 * 2**20
OPEN_FILES = 64

_PR_SET_PDEATHSIG, _PR_SET_SECCOMP, _PR_SET_NO_NEW_PRIVS, _PR_SET_DUMPABLE = 1, 22, 38, 4
_SECCOMP_MODE_FILTER = 2
_ALLOW, _ERRNO = 0x7FFF0000, 0x00050000
_EPERM, _ENOSYS = 1, 38
_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_NUMBER, _ARCHITECTURE, _ARGUMENTS = 0, 4, 16  # offsets in struct seccomp_data
_CLONE_THREAD = 0x10000

# System calls as (x86-64, aarch64); 0 is none: what reaches the network, other processes, other programs, the rights
# and the names of files, or the kernel itself.
_REFUSED = {
    "socket": (41, 198), "socketpair": (53, 199), "bind": (49, 200), "listen": (50, 201), "accept": (43, 202),
    "connect": (42, 203), "sendto": (44, 206), "sendmsg": (46, 211), "sendmmsg": (307, 269), "accept4": (288, 242),
    "ptrace": (101, 117), "process_vm_readv": (310, 270), "process_vm_writev": (311, 271), "kill": (62, 129),
    "tkill": (200, 130), "rt_sigqueueinfo": (129, 138), "rt_tgsigqueueinfo": (297, 240), "pidfd_open": (434, 434),
    "pidfd_send_signal": (424, 424), "pidfd_getfd": (438, 438), "fork": (57, 0), "vfork": (58, 0),
    "setsid": (112, 157), "setpgid": (109, 154), "setrlimit": (160, 164), "unshare": (272, 97), "setns": (308, 268),
    "mount": (165, 40), "umount2": (166, 39), "pivot_root": (155, 41), "chroot": (161, 51), "open_tree": (428, 428),
    "move_mount": (429, 429), "fsopen": (430, 430), "fsmount": (432, 432), "mount_setattr": (442, 442),
    "chmod": (90, 0), "fchmod": (91, 52), "fchmodat": (268, 53), "fchmodat2": (452, 452), "chown": (92, 0),
    "fchown": (93, 55), "lchown": (94, 0), "fchownat": (260, 54), "setxattr": (188, 5), "lsetxattr": (189, 6),
    "fsetxattr": (190, 7), "link": (86, 0), "linkat": (265, 37), "symlink": (88, 0), "symlinkat": (266, 36),
    "mknod": (133, 0), "mknodat": (259, 33), "open_by_handle_at": (304, 265), "bpf": (321, 280),
    "perf_event_open": (298, 241), "userfaultfd": (323, 282), "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426), "io_uring_register": (427, 427), "keyctl": (250, 219), "add_key": (248, 217),
    "request_key": (249, 218), "init_module": (175, 105), "finit_module": (313, 273), "kexec_load": (246, 104),
    "personality": (135, 92),
}  # fmt: skip
_PROGRAMS = {"execve": (59, 221), "execveat": (322, 281)}
_CLONE, _CLONE3, _TGKILL, _PRLIMIT = (56, 220), (435, 435), (234, 131), (302, 261)
_MACHINES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}
_X32 = 0x40000000

# Landlock, include/uapi/linux/landlock.h; the numbers of its calls are those of every architecture.
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_EXECUTE, _WRITE, _READ, _LIST = 1 << 0, 1 << 1, 1 << 2, 1 << 3
_REMOVE_FILE, _MAKE_FILE = 1 << 5, 1 << 8
_FIRST_RIGHTS, _REFER, _TRUNCATE = (1 << 13) - 1, 1 << 13, 1 << 14
_OF_PACKAGES = ("site-packages", "dist-packages")
_OF_FILES = _EXECUTE | _WRITE | _READ | _TRUNCATE


@dataclass(frozen=True, slots=True)
class Confined:
    """Which of the filters hold.

    Attributes:
        calls: the network, other programs and other processes are out of reach.
        paths: nothing else is written, and nothing is read but programs and the file.
    """

    calls: bool
    paths: bool


def confine(
    parent: int,
    readable: Iterable[Path],
    writable: Path,
    *,
    cpu_seconds: int = CPU_SECONDS,
    may_start: bool = False,
) -> Confined:
    """Confine this process for good, before it touches anything of a stranger's.

    Args:
        parent: the process that started it, with which it ends.
        readable: files and folders beside Python's own and the system's libraries.
        writable: the folder in which it may make files.
        may_start: it will become another program (tesseract), which is confined likewise.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl.argtypes = [ctypes.c_int, ctypes.c_ulong, ctypes.c_void_p, ctypes.c_ulong, ctypes.c_ulong]
    libc.syscall.restype = ctypes.c_long
    libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, None, 0, 0)
    if os.getppid() != parent:
        sys.exit(1)
    os.nice(10)
    with suppress(OSError):  # where /proc is read only the kernel chooses for itself
        Path("/proc/self/oom_score_adj").write_text("1000")
    for limit, most in (
        (resource.RLIMIT_AS, MEMORY_BYTES),
        (resource.RLIMIT_FSIZE, LARGEST_FILE),
        (resource.RLIMIT_NOFILE, OPEN_FILES),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(limit, (most, most))
    # The first one tells us why it ended, the second one ends what did not listen.
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_seconds, cpu_seconds + 5))
    if libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, None, 0, 0) != 0:
        return Confined(False, False)
    paths = _confine_paths(libc, readable, writable)
    return Confined(_confine_calls(libc, may_start), paths)


def main() -> None:
    """In a process of its own: say how it could be confined, as JSON. The job stands on standard input."""
    told = json.loads(sys.stdin.buffer.read())
    confined = confine(told["parent"], (), Path(told["directory"]))
    print(json.dumps({"calls": confined.calls, "paths": confined.paths}))


def _confine_calls(libc: ctypes.CDLL, may_start: bool) -> bool:
    if (machine := _MACHINES.get(platform.machine())) is None or sys.maxsize < 2**32:
        return False
    code = b"".join(struct.pack("<HBBI", *step) for step in _filter(*machine, may_start))
    program = ctypes.create_string_buffer(code, len(code))
    # struct sock_fprog: a number of instructions, and where they are
    told = struct.pack("HP", len(code) // 8, ctypes.addressof(program))
    return bool(libc.prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, told, 0, 0) == 0)


def _filter(column: int, architecture: int, may_start: bool) -> list[tuple[int, int, int, int]]:
    """Instructions of the classic BPF: (code, how many to skip if so, if not, value)."""
    refuse = (_RETURN, 0, 0, _ERRNO | _EPERM)
    steps = [(_LOAD, 0, 0, _ARCHITECTURE), (_EQUAL, 1, 0, architecture), refuse, (_LOAD, 0, 0, _NUMBER)]
    if column == 0:  # numbers of a second set, by which the same calls can be made
        steps += [(_AT_LEAST, 0, 1, _X32), refuse]
    for calls in (_REFUSED, {} if may_start else _PROGRAMS):
        for numbers in calls.values():
            if numbers[column]:
                steps += [(_EQUAL, 0, 1, numbers[column]), refuse]
    # With a structure in memory, which a filter cannot see: the C library goes on with the older call.
    steps += [(_EQUAL, 0, 1, _CLONE3[column]), (_RETURN, 0, 0, _ERRNO | _ENOSYS)]
    # Threads, but no processes.
    steps += [
        (_EQUAL, 0, 4, _CLONE[column]),
        (_LOAD, 0, 0, _ARGUMENTS),
        (_ANY_BIT, 0, 1, _CLONE_THREAD),
        (_RETURN, 0, 0, _ALLOW),
        refuse,
    ]
    # A signal to itself: so a process aborts.
    steps += [
        (_EQUAL, 0, 4, _TGKILL[column]),
        (_LOAD, 0, 0, _ARGUMENTS),
        (_EQUAL, 0, 1, os.getpid()),
        (_RETURN, 0, 0, _ALLOW),
        refuse,
    ]
    # Limits are read and not set: the third argument is where the new ones stand.
    steps += [
        (_EQUAL, 0, 6, _PRLIMIT[column]),
        (_LOAD, 0, 0, _ARGUMENTS + 16),
        (_EQUAL, 1, 0, 0),
        refuse,
        (_LOAD, 0, 0, _ARGUMENTS + 20),
        (_EQUAL, 1, 0, 0),
        refuse,
    ]
    return [*steps, (_RETURN, 0, 0, _ALLOW)]


def _confine_paths(libc: ctypes.CDLL, readable: Iterable[Path], writable: Path) -> bool:
    version = _call(libc, _CREATE_RULESET, None, 0, 1)
    if version < 1:
        return False
    rights = _FIRST_RIGHTS | (_REFER if version >= 2 else 0) | (_TRUNCATE if version >= 3 else 0)
    told = struct.pack("<Q", rights)
    if (rules := _call(libc, _CREATE_RULESET, told, len(told), 0)) < 0:
        return False
    try:
        reading = _EXECUTE | _READ | _LIST
        allowed = dict.fromkeys((*_of_python(), *_of_system(), *readable), reading)
        allowed[writable] = (reading | _WRITE | _MAKE_FILE | _REMOVE_FILE | _TRUNCATE) & rights
        for path, may in allowed.items():
            _allow(libc, rules, path, may)
        return _call(libc, _RESTRICT_SELF, rules, 0) == 0
    finally:
        os.close(rules)


def _allow(libc: ctypes.CDLL, rules: int, path: Path, may: int) -> None:
    try:
        opened = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return  # what is not there need not be read
    try:
        _call(libc, _ADD_RULE, rules, 1, struct.pack("<Qi", may if path.is_dir() else may & _OF_FILES, opened), 0)
    finally:
        os.close(opened)


def _call(libc: ctypes.CDLL, number: int, *arguments: int | bytes | None) -> int:
    passed = [ctypes.c_long(each) if isinstance(each, int) else ctypes.c_char_p(each) for each in arguments]
    return int(libc.syscall(ctypes.c_long(number), *passed))


def _of_python() -> list[Path]:
    """Where modules lie. Of a checkout, or of where somebody works, the package alone: secrets may lie beside it."""
    package = Path(__file__).resolve().parents[2]
    return [package, Path(sys.base_prefix), *(Path(each) for each in sys.path if Path(each).name in _OF_PACKAGES)]


def _of_system() -> list[Path]:
    return [
        Path(each)
        for each in (
            "/usr", "/lib", "/lib64", "/lib32", "/etc/ld.so.cache", "/etc/localtime", "/etc/mime.types", "/dev/null",
            "/dev/urandom",
        )
    ]  # fmt: skip
