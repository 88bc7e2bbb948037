"""What would suit the database's server better, by its sizes and the machine's. Advice: nothing of it is wrong.

The rules are those of docs/scale.md, measured with up to a million chunks, and PostgreSQL's own:
https://www.postgresql.org/docs/current/runtime-config-resource.html
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path

from arcana_pipelines.db.engine import Connection
from arcana_pipelines.db.query import one
from arcana_pipelines.db.statements import statements_beside

load_sql = statements_beside(__file__)

_MB = 1 << 20
_GB = 1 << 30
_WORK_MEM = 32 * _MB
# Below this everything is in memory soon, whatever is set.
_SMALL = _GB
_CHUNKS_OF_EMBEDDED = 300_000
# `arcana serve`, the code server, and a run.
_PROCESSES = 3
_CONNECTIONS_OF_A_CORE = 16


@dataclass(frozen=True, slots=True)
class ServerSizes:
    """What PostgreSQL may use, and how much it has to keep. Bytes, where nothing else is said.

    Attributes:
        connections: how many there may be at once, without those that are kept for superusers.
        random_page_cost: what the planner takes a random page to cost; a sequential one costs 1.
        chunks: about how many are stored.
    """

    shared_buffers: int
    effective_cache_size: int
    work_mem: int
    maintenance_work_mem: int
    connections: int
    random_page_cost: float
    database_size: int
    chunks: int


@dataclass(frozen=True, slots=True)
class Machine:
    """What the server runs on, as far as it is known.

    Attributes:
        memory: bytes; None: it is another machine than this one.
        cores: None likewise.
        is_embedded: the server is the one of the package, whose settings are given.
    """

    memory: int | None
    cores: int | None
    is_embedded: bool


def server_sizes(connection: Connection) -> ServerSizes:
    """What the server of this connection may use and has to keep."""
    return one(connection, ServerSizes, load_sql("server_sizes"))


def machine_of(connection: Connection, is_embedded: bool) -> Machine:
    """The machine of this connection's server: this one, when the server is reached on it."""
    if not _is_here(connection):
        return Machine(None, None, is_embedded)
    return Machine(_memory(), os.cpu_count(), is_embedded)


def advice(sizes: ServerSizes, machine: Machine, most_of_a_process: int) -> list[str]:
    """What would suit better, a sentence each, the weightiest first.

    Args:
        most_of_a_process: connections that a process of ours may open.
    """
    told = list(_on_connections(sizes, machine, most_of_a_process))
    if machine.is_embedded:
        if sizes.chunks > _CHUNKS_OF_EMBEDDED:
            told.append(
                f"about {sizes.chunks:,} chunks are in the embedded PostgreSQL, whose shared_buffers stay at "
                f"{_shown(sizes.shared_buffers)}: a server of your own answers faster (docs/scale.md)"
            )
    elif sizes.database_size > _SMALL:
        told += _on_memory(sizes, machine.memory)
        if sizes.random_page_cost >= 4:
            told.append(f"random_page_cost is {sizes.random_page_cost:g}, right for turning disks: 1.1 on others")
    return told


def _on_connections(sizes: ServerSizes, machine: Machine, most: int) -> Iterator[str]:
    if sizes.connections < _PROCESSES * most:
        wanted = max(1, sizes.connections // _PROCESSES)
        yield (
            f"the server takes {sizes.connections} connections, and each process of ours may open {most} "
            f"(DATABASE_POOL_SIZE and DATABASE_MAX_OVERFLOW): let them be {wanted} together, or raise max_connections "
            f"above {_PROCESSES * most}"
        )
    if machine.cores is not None and most > 30 and most > _CONNECTIONS_OF_A_CORE * machine.cores:
        yield (
            f"a process of ours may open {most} connections, more than {machine.cores} cores can work for: "
            f"{max(30, _CONNECTIONS_OF_A_CORE * machine.cores)} are enough"
        )


def _on_memory(sizes: ServerSizes, memory: int | None) -> Iterator[str]:
    if memory is not None:
        buffers = min(memory // 4, sizes.database_size)
        if sizes.shared_buffers < buffers // 2:
            yield (
                f"shared_buffers is {_shown(sizes.shared_buffers)} for a database of {_shown(sizes.database_size)}: "
                f"{_shown(buffers)} suit a machine of {_shown(memory)}"
            )
        if sizes.effective_cache_size < memory // 2 < sizes.database_size:
            yield (
                f"effective_cache_size is {_shown(sizes.effective_cache_size)}: {_shown(memory * 3 // 4)}, what the "
                "system keeps in memory included, lets the planner choose indexes"
            )
    if sizes.work_mem < _WORK_MEM and (memory is None or sizes.connections * _WORK_MEM <= memory):
        yield f"work_mem is {_shown(sizes.work_mem)}: {_shown(_WORK_MEM)} take milliseconds off searches"
    upkeep = 256 * _MB if memory is None else min(_GB, memory // 16)
    if sizes.maintenance_work_mem < upkeep // 2:
        yield f"maintenance_work_mem is {_shown(sizes.maintenance_work_mem)}: with {_shown(upkeep)} VACUUM reads once"


def _is_here(connection: Connection) -> bool:
    host = connection.info.host
    if host.startswith("/") or host == "localhost":
        return True
    try:
        return ip_address(connection.info.hostaddr or host).is_loopback
    except ValueError:
        return False


def _memory() -> int | None:
    """Bytes of this machine, or of the container that this process is in."""
    if not {"SC_PAGE_SIZE", "SC_PHYS_PAGES"} <= os.sysconf_names.keys():
        return None
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    limit = Path("/sys/fs/cgroup/memory.max")
    said = limit.read_text().strip() if limit.is_file() else "max"
    return min(memory, int(said)) if said.isdigit() else memory


def _shown(size: int) -> str:
    return f"{size / _GB:.1f} GB" if size >= _GB else f"{size // _MB} MB"
