"""A database whose clock stands still until a test moves it, as the clocks of stand-ins' worlds do.

What a limiter counts goes by the database's clock, what a stand-in counts by its world's: where one ran and the other
did not, a machine that is busy would make them disagree.
"""

from __future__ import annotations

from urllib.parse import urlsplit

import psycopg

from arcana_pipelines.db.engine import Database

# Before pg_catalog on the path, so that `clock_timestamp()` is this one. Transactions have their own time (`now()`).
_HOLD = """
CREATE SCHEMA held;
CREATE TABLE held.clock (now timestamptz);
INSERT INTO held.clock SELECT date_trunc('second', pg_catalog.clock_timestamp());
CREATE FUNCTION held.clock_timestamp() RETURNS timestamptz LANGUAGE sql AS 'SELECT now FROM held.clock';
ALTER TABLE source_limit ALTER adjusted_at SET DEFAULT held.clock_timestamp();
GRANT USAGE ON SCHEMA held TO PUBLIC;
GRANT SELECT ON held.clock TO PUBLIC;
"""


def with_held_clock(url: str) -> str:
    """Give the database at `url` a clock that stands still; the URL whose sessions see it."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(_HOLD)
    joined = "&" if urlsplit(url).query else "?"
    return f"{url}{joined}options=-c%20search_path%3Dheld%2Cpg_catalog%2Cpublic"


def move_clock(database: Database, seconds: float) -> None:
    """Let so much time pass by the held clock of a database."""
    with database.connection() as connection:
        connection.execute("UPDATE held.clock SET now = now + make_interval(secs => %s)", [seconds])
