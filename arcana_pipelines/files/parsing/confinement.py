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
_CAPABILITIES = 0x20080522  # _LINUX_CAPABILITY_VERSION_3
_OF_FILES_OF_OTHERS = 1 << 1 | 1 << 2  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH; Landlock says of which

# System calls as (x86-64, aarch64); 0 is none: what reaches the network, other processes, other programs, the rights,
# the times and the names of files, memory that no limit counts or that stays when a process ends, or the kernel itself.
_REFUSED = {
    "socket": (41, 198), "socketpair": (53, 199), "bind": (49, 200), "listen": (50, 201), "accept": (43, 202),
    "connect": (42, 203), "sendto": (44, 206), "sendmsg": (46, 211), "sendmmsg": (307, 269), "accept4": (288, 242),
    "ptrace": (101, 117), "process_vm_readv": (310, 270), "process_vm_writev": (311, 271), "kill": (62, 129),
    "tkill": (200, 130), "rt_sigqueueinfo": (129, 138), "rt_tgsigqueueinfo": (297, 240), "pidfd_open": (434, 434),
    "pidfd_send_signal": (424, 424), "pidfd_getfd": (438, 438), "fork": (57, 0), "vfork": (58, 0),
    # Threads as well: no parser needs one, and as many as there may be leave none for others.
    "clone": (56, 220), "clone3": (435, 435),
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
    # How others are served, and whose rights one has.
    "setpriority": (141, 140), "sched_setparam": (142, 118), "sched_setscheduler": (144, 119),
    "sched_setattr": (314, 274), "sched_setaffinity": (203, 122), "ioprio_set": (251, 30), "migrate_pages": (256, 238),
    "move_pages": (279, 239), "process_madvise": (440, 440), "process_mrelease": (448, 448), "kcmp": (312, 272),
    "setuid": (105, 146), "setgid": (106, 144), "setreuid": (113, 145), "setregid": (114, 143),
    "setresuid": (117, 147), "setresgid": (119, 149), "setgroups": (116, 159), "setfsuid": (122, 151),
    "setfsgid": (123, 152), "capset": (126, 91),
    # Landlock has no word in these: times and marks of files, who reads what where, room that is no file's length.
    "utime": (132, 0), "utimes": (235, 0), "futimesat": (261, 0), "utimensat": (280, 88), "removexattr": (197, 14),
    "lremovexattr": (198, 15), "fremovexattr": (199, 16), "setxattrat": (463, 463), "removexattrat": (466, 466),
    "file_setattr": (469, 469), "inotify_init": (253, 0), "inotify_init1": (294, 26), "inotify_add_watch": (254, 27),
    "fanotify_init": (300, 262), "fanotify_mark": (301, 263), "fallocate": (285, 47),
    # Memory beside RLIMIT_AS; of the first two kinds it outlives who has asked for it.
    "shmget": (29, 194), "shmat": (30, 196), "shmctl": (31, 195), "msgget": (68, 186), "msgsnd": (69, 189),
    "msgctl": (71, 187), "semget": (64, 190), "semctl": (66, 191), "mq_open": (240, 180), "mq_unlink": (241, 181),
    "memfd_create": (319, 279), "memfd_secret": (447, 447),
    "syslog": (103, 116), "settimeofday": (164, 170), "clock_settime": (227, 112), "clock_adjtime": (305, 266),
    "adjtimex": (159, 171), "sethostname": (170, 161), "setdomainname": (171, 162), "reboot": (169, 142),
    "swapon": (167, 224), "swapoff": (168, 225), "iopl": (172, 0), "ioperm": (173, 0), "acct": (163, 89),
    "quotactl": (179, 60), "quotactl_fd": (443, 443), "delete_module": (176, 106), "kexec_file_load": (320, 294),
    "vhangup": (153, 58), "fsconfig": (431, 431), "fspick": (433, 433), "open_tree_attr": (467, 467),
}  # fmt: skip
_PROGRAMS = {"execve": (59, 221), "execveat": (322, 281)}
_TGKILL, _PRLIMIT = (234, 131), (302, 261)
# Calls that are refused where an argument is one of these: (call, which argument, values).
# - fcntl: who gets which signal when a pipe has something to read (F_SETOWN, F_SETSIG, F_SETOWN_EX) is any process.
# - prctl: to outlive the parent (PR_SET_PDEATHSIG).
_REFUSED_WITH = (((72, 25), 1, (8, 10, 15)), ((157, 167), 0, (_PR_SET_PDEATHSIG,)))
# Files without a name (O_TMPFILE) are in no directory, so nobody sees how large they are. openat2 has its flags in a
# structure: the C library does without it.
_OPEN, _OPENAT, _OPENAT2 = (2, 0), (257, 56), (437, 437)
_NAMELESS = 0x400000
_MACHINES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}
_X32 = 0x40000000

# Landlock, include/uapi/linux/landlock.h; the numbers of its calls are those of every architecture.
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_EXECUTE, _WRITE, _READ, _LIST = 1 << 0, 1 << 1, 1 << 2, 1 << 3
_MAKE_FILE = 1 << 8
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
    _give_up_capabilities(libc)
    return Confined(_confine_calls(libc, may_start), paths)


def main() -> None:
    """In a process of its own: say how it could be confined, as JSON. The job stands on standard input."""
    told = json.loads(sys.stdin.buffer.read())
    confined = confine(told["parent"], (), Path(told["directory"]))
    print(json.dumps({"calls": confined.calls, "paths": confined.paths}))


def _give_up_capabilities(libc: ctypes.CDLL) -> None:
    """Of what root may, what opens the files that it is given; nobody else has any of it. No program gets it back."""
    header = ctypes.create_string_buffer(struct.pack("<Ii", _CAPABILITIES, 0), 8)
    held = ctypes.create_string_buffer(24)  # effective, permitted, inheritable; and of each the upper half
    if libc.capget(header, held) == 0:
        kept = struct.unpack("<6I", held.raw)[1] & _OF_FILES_OF_OTHERS
        libc.capset(header, struct.pack("<6I", kept, kept, 0, 0, 0, 0))


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
    steps += [(_EQUAL, 0, 1, _OPENAT2[column]), (_RETURN, 0, 0, _ERRNO | _ENOSYS)]
    for numbers, argument, values in _REFUSED_WITH:
        equal = [step for value in values for step in ((_EQUAL, 0, 1, value), refuse)]
        steps += [
            (_EQUAL, 0, len(equal) + 2, numbers[column]),
            (_LOAD, 0, 0, _ARGUMENTS + 8 * argument),
            *equal,
            (_RETURN, 0, 0, _ALLOW),
        ]
    for numbers, argument in ((_OPEN, 1), (_OPENAT, 2)):
        if numbers[column]:
            steps += [
                (_EQUAL, 0, 4, numbers[column]),
                (_LOAD, 0, 0, _ARGUMENTS + 8 * argument),
                (_ANY_BIT, 0, 1, _NAMELESS),
                refuse,
                (_RETURN, 0, 0, _ALLOW),
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
        # Not to remove what it has made: a file without a name has room on the disk, and nobody sees how much.
        allowed[writable] = (reading | _WRITE | _MAKE_FILE | _TRUNCATE) & rights
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
