"""How far a replica is behind, and when it is not read."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace

import pytest
from pydantic import SecretStr

from arcana_pipelines.db import replica as replicas
from arcana_pipelines.db.embedded import lease
from arcana_pipelines.db.engine import Connection, Database
from arcana_pipelines.db.pool import Pool
from arcana_pipelines.db.replica import Position, Replica, problem_of
from arcana_pipelines.db.schema import newest_revision
from arcana_pipelines.testing.postgres import DatabaseServer

PRIMARY = Position(False, 1000, "7301/16384", newest_revision())
FOLLOWS = replace(PRIMARY, is_standby=True)


class Servers:
    """A primary and a replica, as the test says that they stand, and a clock."""

    def __init__(self) -> None:
        self.primary, self.replica, self.seconds = 1000, 1000, 0.0

    def look(self, replica: Replica, seconds: float = 1.0, primary: int = 0, replayed: int = 0) -> float | None:
        """Look after so many seconds, in which the primary wrote and the replica replayed so many bytes; the lag."""
        self.seconds, self.primary, self.replica = (
            self.seconds + seconds,
            self.primary + primary,
            self.replica + replayed,
        )
        replica.look()
        return replica.standing.lag


@pytest.fixture
def servers(monkeypatch: pytest.MonkeyPatch) -> Servers:
    servers = Servers()

    def position_of(connection: Connection) -> Position:
        is_primary = connection.info.user == lease.WRITER
        return replace(PRIMARY if is_primary else FOLLOWS, position=servers.primary if is_primary else servers.replica)

    monkeypatch.setattr(replicas, "position_of", position_of)
    return servers


@contextmanager
def replica_at(database: Database, url: str, servers: Servers | None = None) -> Iterator[Replica]:
    with (
        closing(primary_with(database, url)) as primary,
        closing(Replica(primary, (lambda: servers.seconds) if servers else lambda: 0.0)) as replica,
    ):
        yield replica


def primary_with(database: Database, url: str) -> Database:
    """The database, with a replica at an address."""
    given = {"search_database_url": SecretStr(url), "search_replica_lag": 5.0}
    return Database(database.settings.model_copy(update=given))


def of_server(database: Database) -> str:
    """The same database, for the user who serves."""
    url = database.settings.database_url
    assert url is not None
    return url.get_secret_value().replace(f"{lease.WRITER}@", f"{lease.SERVER}@")


def test_lag_is_the_age_of_the_first_place_of_the_primary_that_is_not_reached(
    database: Database, servers: Servers
) -> None:
    with replica_at(database, of_server(database), servers) as replica:
        assert servers.look(replica) == 0
        assert servers.look(replica, primary=100) == 0  # noted just now
        assert servers.look(replica, primary=100) == 1
        assert servers.look(replica, replayed=100) == 1
        assert servers.look(replica, replayed=100) == 0
        assert servers.look(replica, seconds=3600) == 0  # nothing was written


def test_it_is_not_read_while_it_is_too_far_behind(database: Database, servers: Servers) -> None:
    with replica_at(database, of_server(database), servers) as replica:
        servers.look(replica, primary=100, replayed=100)
        servers.look(replica, primary=100)
        servers.look(replica, seconds=5)
        assert replica.is_read
        servers.look(replica, seconds=0.1)
        assert not replica.is_read and "5 seconds behind" in str(replica.standing.problem)
        servers.look(replica, replayed=100)
        assert replica.is_read


def test_one_that_was_behind_at_first_is_read_when_it_has_reached_a_place_that_was_seen(
    database: Database, servers: Servers
) -> None:
    servers.replica = 0
    with replica_at(database, of_server(database), servers) as replica:
        assert servers.look(replica) is None and not replica.is_read
        assert servers.look(replica, replayed=900) is None and not replica.is_read
        assert servers.look(replica, replayed=100) == 0 and replica.is_read


@pytest.mark.parametrize(
    ("other", "said"),
    [
        (replace(FOLLOWS, origin="7302/16384"), "another database"),
        (replace(FOLLOWS, origin="7301/16385"), "another database"),
        (replace(FOLLOWS, is_standby=False), "no standby"),
        (replace(FOLLOWS, revision="0001"), "the schema 0001"),
    ],
)
def test_what_is_no_replica_of_the_database_is_not_read(other: Position, said: str) -> None:
    assert said in str(problem_of(PRIMARY, other)) and problem_of(PRIMARY, FOLLOWS) is None


def test_the_database_itself_is_no_replica_and_nor_is_another(
    database: Database, arcana_server: DatabaseServer
) -> None:
    with replica_at(database, of_server(database)) as itself:
        itself.look()
        assert "no standby" in str(itself.standing.problem)
    with arcana_server.database() as url, replica_at(database, url.replace(lease.WRITER, lease.SERVER, 1)) as another:
        another.look()
        assert "another database" in str(another.standing.problem)


def test_one_whose_user_no_policy_binds_is_not_read(database: Database, servers: Servers) -> None:
    assert database.settings.database_url is not None
    with replica_at(database, database.settings.database_url.get_secret_value(), servers) as replica:
        replica.look()
        assert "reads what is every company's" in str(replica.standing.problem)


def test_one_that_has_more_than_the_database_is_of_another_history_and_stays_so(
    database: Database, servers: Servers
) -> None:
    with replica_at(database, of_server(database), servers) as replica:
        servers.look(replica)
        servers.look(replica, primary=-100)  # it was restored to a moment before
        assert not replica.is_read and "more than the database has written" in str(replica.standing.problem)
        servers.look(replica, primary=200)  # and has now written as much
        assert not replica.is_read
        servers.look(replica, replayed=-500)  # another was made
        servers.look(replica, replayed=600)
        assert replica.is_read


def test_each_of_several_servers_at_the_address_has_to_have_what_is_older_than_it_may_be_behind(
    database: Database, servers: Servers
) -> None:
    with replica_at(database, of_server(database), servers) as replica, replica.database.connection() as connection:
        for _ in range(10):  # 1000 to 1900, a second each; 5 may be missed
            servers.look(replica, primary=100, replayed=100)
        assert replica.is_read
        for servers.replica, is_near in ((2000, True), (1500, True), (1499, False)):
            assert replica.is_near(connection) is is_near


def test_that_all_connections_are_in_use_says_nothing_of_it(database: Database, servers: Servers) -> None:
    with (
        closing(primary_with(database, of_server(database))) as primary,
        closing(Replica(primary)) as replica,
        ExitStack() as in_use,
    ):
        for each in (primary, replica.database):
            each.pool = Pool(each.connect, 1, 1)
            each.pool.patience = 0.0
            in_use.enter_context(each.connection())
        replica.look()
        assert replica.is_read


def test_one_that_does_not_answer_is_not_read(database: Database) -> None:
    with replica_at(database, "postgresql://arcana_server@127.0.0.1:1/arcana") as away:
        away.look()
        assert "cannot be used" in str(away.standing.problem)


def test_one_that_was_given_up_is_read_again_when_a_look_finds_it_good(database: Database, servers: Servers) -> None:
    with replica_at(database, of_server(database), servers) as replica:
        servers.look(replica)
        replica.give_up("it hangs")
        assert replica.standing.problem == "it hangs"
        servers.look(replica)
        assert replica.is_read
