"""Whoever takes over a parser has a process that can do nothing but say lies about its own file."""

from __future__ import annotations

import errno
import os
import resource
import select
import signal
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from arcana_pipelines.files.kinds import FileKind
from arcana_pipelines.files.parsing import run
from arcana_pipelines.files.parsing.confinement import (
    _MACHINES,
    _PRLIMIT,
    _PROGRAMS,
    _REFUSED,
    _TGKILL,
    _filter,
)
from arcana_pipelines.files.parsing.processes import reason_of
from arcana_pipelines.files.parsing.protocol import Reason, Unreadable
from arcana_pipelines.files.parsing.registry import Parser
from arcana_pipelines.files.parsing.run import confinement_here, read_file

HOSTILE = Parser("hostile", 1, frozenset({FileKind.TEXT}), "arcana_pipelines_tests.files.hostile")
ROOT = str(Path(__file__).parents[2])
ALLOWED, REFUSED = 0x7FFF0000, 0x00050000 | errno.EPERM
NOT_PERMITTED = "refused: Operation not permitted"  # by the filter of system calls
DENIED = "refused: Permission denied"  # by the filter of paths


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "file").mkdir()
    return tmp_path / "file" / "hostile.txt"


def said(file: Path, *deeds: str) -> list[str]:
    file.write_text("\n".join(deeds))
    with read_file(file, "hostile.txt", FileKind.TEXT, parser=HOSTILE) as reading:
        return [block.text for block in reading.blocks]


def refusal(file: Path, *deeds: str) -> Unreadable:
    with pytest.raises(Unreadable) as raised:
        said(file, *deeds)
    return raised.value


def test_whether_a_machine_allows_it_can_be_asked() -> None:
    confined = confinement_here()
    assert confined.calls and confined.paths, "this machine lacks seccomp or Landlock: the tests below cannot pass"


class TestWhatIsOutOfReach:
    def test_the_network_programs_and_processes(self, file: Path) -> None:
        deeds = ("socket", "unix-socket", "program", "starts", "fork", "kill")
        assert said(file, *deeds) == [NOT_PERMITTED] * len(deeds)

    def test_a_signal_that_a_pipe_sends_instead(self, file: Path) -> None:
        assert said(file, "signal-of-a-pipe") == [NOT_PERMITTED]

    def test_how_the_kernel_serves_others_and_when_it_ends_itself(self, file: Path) -> None:
        deeds = ("priority", "processor", "thread", "outlive")
        assert said(file, *deeds) == [NOT_PERMITTED] * len(deeds)

    def test_memory_that_no_limit_counts_or_that_stays_when_it_has_ended(self, file: Path) -> None:
        deeds = ("shared-memory", "messages", "memory-file")
        assert said(file, *deeds) == [NOT_PERMITTED] * len(deeds)

    def test_room_on_the_disk_that_nobody_sees(self, file: Path) -> None:
        assert said(file, "nameless-file", "remove-own") == [NOT_PERMITTED, DENIED]

    def test_the_times_of_files_and_who_opens_them(self, file: Path, tmp_path: Path) -> None:
        assert said(file, f"times {tmp_path}", "watch") == [NOT_PERMITTED] * 2

    def test_what_root_may(self, file: Path) -> None:
        assert said(file, "rights-of-root") == ["done: 0"]

    def test_the_rights_and_names_of_files(self, file: Path, tmp_path: Path) -> None:
        other = tmp_path / "other"
        other.write_text("as it was")
        assert said(file, f"chmod {other}", "link", f"symlink {other}") == [NOT_PERMITTED] * 3

    def test_other_files(self, file: Path, tmp_path: Path) -> None:
        other = tmp_path / "other"
        other.write_text("as it was")
        deeds = (f"read {other}", f"write {other}", f"delete {other}", f"write {other}.new", f"list {tmp_path}")
        assert said(file, *deeds) == [DENIED] * len(deeds)
        assert said(file, "read /etc/passwd", "read /proc/1/environ", f"write {file}") == [DENIED] * 3
        assert other.read_text() == "as it was" and [each.name for each in tmp_path.iterdir()] == ["file", "other"]

    def test_what_our_environment_says(self, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("NOTION_TOKEN", "a secret")
        assert said(file, "variables") == ["done: ['LC_CTYPE']"]

    @pytest.mark.slow
    def test_more_memory_and_larger_files_than_a_parser_has(self, file: Path) -> None:
        assert said(file, "more-memory") == ["refused: not allowed to raise maximum limit"]
        assert said(file, "large") == ["refused: File too large"]
        assert refusal(file, "hogs").reason is Reason.TOO_LARGE

    def test_its_own_file_and_directory_are_within_reach(self, file: Path) -> None:
        assert said(file, f"read {file}", "beside")[1] == "done: 1"


class TestWhatComesOut:
    def test_a_file_is_taken_under_the_name_that_it_has_here(self, file: Path) -> None:
        file.write_text("keeps its bytes")
        with read_file(file, "hostile.txt", FileKind.TEXT, parser=HOSTILE) as reading:
            (attachment,) = reading.attachments
            assert attachment.name == "../name of its own"
            assert attachment.path.read_text() == "its bytes" and attachment.path.name == "a"
        assert not attachment.path.exists()

    @pytest.mark.parametrize("path", ["../hostile.txt", "/etc/passwd", "..", "a/b", "", "missing"])
    def test_a_path_outside_is_refused(self, file: Path, path: str) -> None:
        assert refusal(file, f"names {path}").reason is Reason.CRASHED

    def test_a_line_that_is_none_of_ours_counts_as_a_crash(self, file: Path) -> None:
        assert refusal(file, 'raw {"is":"block","kind":"text","text":7}').reason is Reason.CRASHED

    def test_what_a_library_prints_is_no_text(self, file: Path) -> None:
        assert said(file, "prints a password") == ["said"]

    @pytest.mark.slow  # 32 MiB are said and checked
    def test_a_flood_ends_the_process_and_not_us(self, file: Path) -> None:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        assert refusal(file, "floods").reason is Reason.TOO_LARGE
        assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024 < 3 * run.MOST_BYTES

    def test_a_flood_of_small_things_is_one_of_memory_here(self, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(run, "MOST_CELLS", 3)
        row = 'raw {"is":"block","kind":"table","rows":[["a","b"],["a","b"]]}'
        assert refusal(file, row).reason is Reason.TOO_LARGE
        monkeypatch.setattr(run, "MOST_ATTACHMENTS", 1)
        assert refusal(file, "keeps a", "keeps a").reason is Reason.CRASHED

    def test_an_error_is_told_without_its_words(self, file: Path) -> None:
        error = refusal(file, "fails with a name of the file")
        assert error.reason is Reason.DAMAGED
        assert error.detail.startswith("its parser cannot make sense of it (ValueError at hostile.py:")


class TestTheFilterOfCalls:
    """Its instructions, carried out here: of two kinds of processors one at most is at hand."""

    @pytest.mark.parametrize("column", [0, 1], ids=["x86-64", "aarch64"])
    def test_it_refuses_what_reaches_out_of_the_process(self, column: int) -> None:
        for numbers in (*_REFUSED.values(), *_PROGRAMS.values()):
            if numbers[column]:
                assert self.answer(column, numbers[column]) == REFUSED
        assert self.answer(column, _PROGRAMS["execve"][column], may_start=True) == ALLOWED

    @pytest.mark.parametrize("column", [0, 1], ids=["x86-64", "aarch64"])
    def test_it_allows_what_parsers_do(self, column: int) -> None:
        for number in ((0, 1, 9, 257), (63, 64, 222, 56))[column]:  # read, write, mmap, openat
            assert self.answer(column, number) == ALLOWED
        assert self.answer(column, _TGKILL[column], os.getpid()) == ALLOWED
        assert self.answer(column, _TGKILL[column], 1) == REFUSED
        assert self.answer(column, _PRLIMIT[column], 0, 9, 0) == ALLOWED
        assert self.answer(column, _PRLIMIT[column], 0, 9, 0x7F00_0000_0000) == REFUSED

    @pytest.mark.parametrize("column", [0, 1], ids=["x86-64", "aarch64"])
    def test_it_refuses_the_calls_of_other_processors(self, column: int) -> None:
        assert self.answer(column, 0, architecture=0x40000003) == REFUSED  # 32 bits
        if column == 0:
            assert self.answer(column, 0x40000000 | 41) == REFUSED  # the same calls under other numbers

    def answer(
        self, column: int, number: int, *arguments: int, may_start: bool = False, architecture: int | None = None
    ) -> int:
        """What the filter says to a call."""
        own = list(_MACHINES.values())[column][1]
        data = struct.pack("<IIQ6Q", number, architecture or own, 0, *arguments, *[0] * (6 - len(arguments)))
        at = value = 0
        steps = _filter(column, own, may_start)
        while True:
            code, if_so, if_not, constant = steps[at]
            at += 1
            if code == 0x06:
                return constant
            if code == 0x20:
                (value,) = struct.unpack_from("<I", data, constant)
            else:
                is_so = {0x15: value == constant, 0x35: value >= constant, 0x45: bool(value & constant)}[code]
                at += if_so if is_so else if_not


class TestHowItEnds:
    @pytest.mark.parametrize("deed", ["ends 0", "ends 3", "aborts"])
    def test_what_ends_before_it_has_said_so_has_said_nothing(self, file: Path, deed: str) -> None:
        assert refusal(file, deed).reason is Reason.CRASHED

    @pytest.mark.parametrize(
        ("code", "reason"),
        [
            (-signal.SIGXCPU, Reason.TIMEOUT),
            (-signal.SIGXFSZ, Reason.TOO_LARGE),
            (-signal.SIGKILL, Reason.CRASHED),
            (1, Reason.CRASHED),
        ],
    )
    def test_each_end_is_one_reason(self, code: int, reason: Reason) -> None:
        assert reason_of(code).reason is reason

    @pytest.mark.slow
    def test_it_ends_with_whoever_started_it(self, file: Path) -> None:
        file.write_text("waits")
        code = (
            "import sys; from pathlib import Path; from arcana_pipelines_tests.files.test_confinement import *\n"
            "with read_file(Path(sys.argv[1]), 'a', FileKind.TEXT, parser=HOSTILE): pass"
        )
        parent = subprocess.Popen(
            [sys.executable, "-c", code, str(file)], env={**os.environ, "PYTHONPATH": ROOT, "TMPDIR": str(file.parent)}
        )
        with parent:
            children: list[str] = []
            while not children:
                assert parent.poll() is None
                children = Path(f"/proc/{parent.pid}/task/{parent.pid}/children").read_text().split()
            child = os.pidfd_open(int(children[0]))
            parent.kill()
        try:
            ended, _, _ = select.select([child], [], [], 60)
        finally:
            os.close(child)
        assert ended

    def test_it_has_so_much_time_and_no_more(self, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(run, "WALL_SECONDS", 0.0)
        assert refusal(file, "waits").reason is Reason.TIMEOUT
