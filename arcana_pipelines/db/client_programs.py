"""PostgreSQL's own client programs: which one fits a server, and how it is told where that is."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from arcana_pipelines.db.embedded.lease import bare_environment
from arcana_pipelines.db.embedded.programs import programs
from arcana_pipelines.postgres_address import Address

_VERSION = re.compile(r"\(PostgreSQL\) (\d+)")
_LONGEST_REASON = 600  # characters of what a program said


class Unusable(Exception):
    """No program fits, or none can be told where the database is. The message is a part of a sentence."""


@dataclass(frozen=True, slots=True)
class Program:
    """A program that was found.

    Attributes:
        major: its major version: the newest of a server that it can read.
    """

    path: Path
    major: int


def find_program(name: str, server: int, is_encrypted: bool, is_embedded: bool) -> Program:
    """The `pg_dump`, say, for a server of this major version: that of the PATH, or the one that comes with the package.

    The latter is made without TLS: where our own connection is encrypted, its would not be.

    Raises:
        Unusable: neither can read such a server.
    """
    ours = version_of(programs() / name)
    path = shutil.which(name, path=_absolute_path())
    theirs = None if path is None or is_embedded else version_of(Path(path))
    for program in (theirs, None if is_encrypted else ours):
        if program is not None and program.major >= server:
            return program
    if theirs is None:
        lack = f"there is no {name} on the PATH for the server, a PostgreSQL {server}"
    else:
        lack = f"{theirs.path} is of PostgreSQL {theirs.major}, and the server is a PostgreSQL {server}"
    raise Unusable(f"{lack}. Install the client programs of PostgreSQL {server} or newer and run this again")


def environment_for(address: Address) -> dict[str, str]:
    """The environment that a program gets to connect to an address, whose `shown` form stands among its arguments.

    Raises:
        Unusable: the address has secrets that no variable can carry.
    """
    # What stands among the arguments of a process, every user of the machine can read.
    hidden = sorted(address.secrets.keys() - {"password"})
    if hidden:
        raise Unusable(
            f"DATABASE_URL has {', '.join(hidden)}, which pg_dump cannot be given without showing it to others"
        )
    environment = bare_environment() | {name: value for name, value in os.environ.items() if name.startswith("PG")}
    if "password" in address.secrets:
        environment["PGPASSWORD"] = address.secrets["password"]
    return environment


def run_quietly(
    arguments: Sequence[str | Path], environment: dict[str, str], address: Address, seconds: float | None = None
) -> str | None:
    """Run a program to its end; None: it went well. Else what it said, without secrets.

    Raises:
        subprocess.TimeoutExpired: it took longer than `seconds`, and was ended.
    """
    done = subprocess.run(
        arguments,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        timeout=seconds,
        check=False,
    )
    return words(done.stderr, done.returncode, address) if done.returncode else None


def words(said: str, code: int, address: Address) -> str:
    """What a program that failed said, without secrets; or with which code it ended."""
    return " ".join(address.without_secrets(said).split())[:_LONGEST_REASON] or f"nothing, and ended with {code}"


def version_of(path: Path) -> Program | None:
    """The program at a path with its version; None where it cannot be run."""
    try:
        done = subprocess.run(
            [path, "--version"],
            env=bare_environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    version = _VERSION.search(done.stdout)
    return None if version is None else Program(path, int(version[1]))


def _absolute_path() -> str:
    """The PATH without folders that depend on the current directory: an unpacked export may hold a `pg_dump`."""
    return os.pathsep.join(part for part in os.environ.get("PATH", os.defpath).split(os.pathsep) if os.path.isabs(part))
