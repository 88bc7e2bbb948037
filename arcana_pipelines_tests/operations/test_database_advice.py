"""What is advised for a server: by its sizes and the machine's, and nothing where nothing would be gained."""

from __future__ import annotations

from dataclasses import replace

import pytest

from arcana_pipelines.db.engine import Database
from arcana_pipelines.operations.database_advice import Machine, ServerSizes, advice, machine_of, server_sizes

MB, GB = 1 << 20, 1 << 30

# PostgreSQL's defaults, with a database that does not fit into them.
DEFAULTS = ServerSizes(
    shared_buffers=128 * MB, effective_cache_size=4 * GB, work_mem=4 * MB, maintenance_work_mem=64 * MB, connections=97,
    random_page_cost=4.0, database_size=40 * GB, chunks=2_000_000,
)  # fmt: skip
TUNED = replace(
    DEFAULTS, shared_buffers=16 * GB, effective_cache_size=48 * GB, work_mem=32 * MB, maintenance_work_mem=GB,
    random_page_cost=1.1,
)  # fmt: skip
LARGE = Machine(memory=64 * GB, cores=16, is_embedded=False)


def test_the_defaults_on_a_large_machine_are_advised_against_with_what_suits_it() -> None:
    told = advice(DEFAULTS, LARGE, 30)
    for part in (
        "shared_buffers is 128 MB for a database of 40.0 GB: 16.0 GB suit a machine of 64.0 GB",
        "effective_cache_size is 4.0 GB: 48.0 GB",
        "work_mem is 4 MB: 32 MB",
        "maintenance_work_mem is 64 MB: with 1.0 GB",
        "random_page_cost is 4",
    ):
        assert any(each.startswith(part) for each in told), part
    assert len(told) == 5
    assert advice(TUNED, LARGE, 30) == []


def test_a_small_database_needs_nothing() -> None:
    assert advice(replace(DEFAULTS, database_size=200 * MB), LARGE, 30) == []


def test_of_another_machine_no_memory_is_supposed() -> None:
    told = "; ".join(advice(DEFAULTS, Machine(None, None, is_embedded=False), 30))
    assert "shared_buffers" not in told and "effective_cache_size" not in told
    assert "work_mem is 4 MB" in told


def test_work_mem_of_all_connections_fits_into_the_machine() -> None:
    told = "; ".join(advice(DEFAULTS, Machine(2 * GB, 2, is_embedded=False), 30))
    assert "; work_mem is" not in f"; {told}"


@pytest.mark.parametrize(
    ("connections", "most", "cores", "said"),
    [
        (97, 30, 4, ""),
        (97, 60, 8, "let them be 32 together, or raise max_connections above 180"),
        (400, 100, 2, "more than 2 cores can work for: 32 are enough"),
        (400, 100, None, ""),
    ],
)
def test_pools_are_held_against_connections_and_cores(
    connections: int, most: int, cores: int | None, said: str
) -> None:
    told = "; ".join(advice(replace(TUNED, connections=connections), replace(LARGE, cores=cores), most))
    assert said in told and bool(said) == bool(told)


def test_the_embedded_server_is_advised_for_up_to_its_size() -> None:
    embedded = replace(LARGE, is_embedded=True)
    assert advice(replace(DEFAULTS, connections=197, chunks=100_000), embedded, 30) == []
    (told,) = advice(replace(DEFAULTS, connections=197), embedded, 30)
    assert "2,000,000 chunks" in told and "docs/scale.md" in told


def test_the_sizes_are_those_of_the_server(database: Database) -> None:
    with database.connection() as connection:
        sizes = server_sizes(connection)
        here = machine_of(connection, is_embedded=False)
    assert sizes.database_size > MB and sizes.connections > 10 and sizes.shared_buffers >= MB
    assert here.memory is not None and here.memory > 100 * MB and here.cores
