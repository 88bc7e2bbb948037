"""What is written as binary COPY is what PostgreSQL reads."""

from __future__ import annotations

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from arcana_pipelines.db import binary
from arcana_pipelines.db.engine import Database

INT4 = st.integers(-(2**31), 2**31 - 1)
TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)
DIMENSIONS = 1000


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50, deadline=None)
@given(
    number=INT4,
    texts=st.lists(TEXT, max_size=5),
    numbers=st.lists(INT4, max_size=5),
    embedding=st.lists(st.floats(-4, 4, width=32), min_size=1, max_size=5),
    entries=st.dictionaries(st.integers(0, DIMENSIONS - 1), st.floats(0.25, 4, width=32), max_size=5),
)
def test_any_row_is_read_as_it_was_written(
    database: Database,
    number: int,
    texts: list[str],
    numbers: list[int],
    embedding: list[float],
    entries: dict[int, float],
) -> None:
    indices = np.array(sorted(entries), dtype=np.int64)
    row = binary.row(
        binary.int4(number),
        binary.texts(texts),
        binary.int4s(np.array(numbers, dtype=np.int64)),
        binary.vector(np.array(embedding)),
        binary.sparsevec(DIMENSIONS, indices, np.array([entries[index] for index in sorted(entries)])),
    )
    with database.connection() as connection, connection.transaction():
        connection.execute(
            f"CREATE TEMP TABLE written (a int, b text[], c int[], d vector, e sparsevec({DIMENSIONS})) ON COMMIT DROP"
        )
        binary.copy(connection, "written (a, b, c, d, e)", [row, row])
        read = connection.execute("SELECT a, b, c, d::real[]::float8[], e::text FROM written").fetchall()
        written = ",".join(f"{index + 1}:{entries[index]!r}" for index in sorted(entries))
        same = connection.execute("SELECT %s::sparsevec::text", [f"{{{written}}}/{DIMENSIONS}"]).fetchone()
    assert same is not None
    assert read == [(number, texts, numbers, embedding, same[0])] * 2
