"""Who is told of what: by routes, each receiver by itself, and by several processes at once."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import pytest

from arcana_pipelines.alert_routes import parse
from arcana_pipelines.alerts.causes import Cause
from arcana_pipelines.alerts.deliveries import deliveries, plan, tell, tell_all
from arcana_pipelines.alerts.protocol import Alert, NotDelivered, Unanswered
from arcana_pipelines.alerts.records import open_alerts, record
from arcana_pipelines.alerts.severity import LEVELS
from arcana_pipelines.db.engine import Database

BROKEN = Cause("failed_run", "acme", "it failed.", "arcana sync acme", subject="sync")
WAITING = Cause("waiting_removals", "globex", "80 pages.", "arcana sync globex")
OF_ALL = Cause("failed_run", "", "the nightly check failed.", "arcana doctor", subject="check_installation")


@dataclass
class Told:
    """A receiver that notes what it was told, and fails while it is to."""

    name: str
    trouble: Exception | None = None
    told: list[str] = field(default_factory=list)

    def send(self, alert: Alert) -> None:
        if self.trouble is not None:
            raise self.trouble
        self.told.append(f"{alert.workspace} {alert.cause}{' over' if alert.resolved_at else ''}")

    def check(self, seconds: float) -> str:
        return ""


@dataclass
class Office:
    """Ticks of the sensor, for some receivers and routes."""

    database: Database
    receivers: list[Told]
    routes: str = ""

    def tick(self, *causes: Cause) -> list[str]:
        with self.database.connection() as connection:
            record(connection, causes, LEVELS, retention_days=30)
            plan(connection, [each.name for each in self.receivers], parse(self.routes))
        return tell_all(self.database, self.receivers, 5)


@pytest.fixture
def slack() -> Told:
    return Told("webhook")


@pytest.fixture
def post() -> Told:
    return Told("email")


@pytest.fixture
def office(database: Database, slack: Told, post: Told) -> Office:
    return Office(database, [slack, post])


def test_without_routes_everyone_is_told_everything_once_and_its_end(office: Office, slack: Told, post: Told) -> None:
    for _ in range(2):
        office.tick(BROKEN)
    for _ in range(2):
        office.tick()
    assert slack.told == post.told == ["acme failed_run", "acme failed_run over"]


def test_routes_say_who_is_told_by_severity_and_workspace(office: Office, slack: Told, post: Told) -> None:
    acme = Told("ops@acme.example")
    office.receivers.append(acme)
    office.routes = "webhook broken; email * @installation, glob*; ops@acme.example broken, waiting acme"
    office.tick(BROKEN, WAITING, OF_ALL)
    assert sorted(slack.told) == [" failed_run", "acme failed_run"]
    assert sorted(post.told) == [" failed_run", "globex waiting_removals"]
    assert acme.told == ["acme failed_run"]


def test_who_was_told_is_told_the_end_whatever_the_routes_say_since(office: Office, slack: Told, post: Told) -> None:
    office.tick(BROKEN)
    office.routes = "webhook waiting"
    office.tick(BROKEN)
    office.tick()
    assert slack.told == post.told == ["acme failed_run", "acme failed_run over"]


def test_a_receiver_that_is_new_is_told_what_is_open_and_nothing_that_is_over(office: Office, slack: Told) -> None:
    office.tick(WAITING)
    office.tick(BROKEN)
    late = Told("pagerduty")
    office.receivers.append(late)
    office.tick(BROKEN)
    assert late.told == ["acme failed_run"]


def test_one_that_a_route_no_longer_names_is_not_told_what_waited_for_it(
    office: Office, slack: Told, post: Told
) -> None:
    post.trouble = NotDelivered("it is down")
    office.tick(BROKEN)
    office.routes, post.trouble = "webhook", None
    office.tick(BROKEN)
    assert (slack.told, post.told) == (["acme failed_run"], [])


@pytest.mark.parametrize("trouble", [NotDelivered("it is down"), Unanswered("it is mute")])
def test_one_that_fails_is_told_later_and_the_others_not_twice(
    office: Office, slack: Told, post: Told, trouble: Exception
) -> None:
    post.trouble = trouble
    webhook, email = office.tick(BROKEN)
    assert (webhook, email) == ("webhook: 1 told.", f"email: 0 told. {trouble}")
    with office.database.connection() as connection:
        (alert,) = open_alerts(connection)
        of_email, of_webhook = deliveries(connection)[alert.alert_id]
        assert (of_email.told_at, of_email.problem) == (None, str(trouble))
        assert of_webhook.told_at is not None and of_webhook.problem == ""
        connection.execute("UPDATE alert_delivery SET unanswered_at = unanswered_at - interval '1 hour'")
        connection.execute("UPDATE alert SET since = since - interval '1 hour'")
    post.trouble = None
    office.tick(BROKEN)
    assert slack.told == post.told == ["acme failed_run"]
    with office.database.connection() as connection:
        assert {each.problem for each in deliveries(connection)[alert.alert_id]} == {""}


def test_an_alert_that_a_receiver_never_takes_holds_up_no_others(database: Database) -> None:
    class Choosy(Told):
        def send(self, alert: Alert) -> None:
            if alert.workspace == "acme":
                raise NotDelivered("not this one")
            super().send(alert)

    choosy = Choosy("webhook")
    office = Office(database, [choosy])
    office.tick(BROKEN)
    office.tick(BROKEN, WAITING)
    assert choosy.told == ["globex waiting_removals"]


def test_two_ticks_at_once_tell_everything_once(office: Office, slack: Told) -> None:
    causes = [Cause("failed_run", f"w{number}", "it failed.", "", subject="sync") for number in range(20)]
    office.receivers = [slack]
    meet = threading.Barrier(2)

    def tick(_: int) -> None:
        meet.wait(10)
        office.tick(*causes)

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(tick, range(2)))
    assert sorted(slack.told) == sorted(f"w{number} failed_run" for number in range(20))


def test_what_one_process_is_sending_another_leaves_alone(office: Office, slack: Told) -> None:
    found: list[bool] = []

    class Slow(Told):
        def send(self, alert: Alert) -> None:
            with office.database.connection() as other:
                found.append(tell(other, slack))
                record(other, [], LEVELS, retention_days=30)  # nor does it wait to note that it is over
            super().send(alert)

    office.receivers = []
    office.tick(BROKEN)
    slow = Slow("webhook")
    with office.database.connection() as connection:
        plan(connection, ["webhook"], [])
        assert tell(connection, slow)
        assert found == [False]
        assert tell(connection, slack) and not tell(connection, slack)
    assert (slow.told, slack.told) == (["acme failed_run"], ["acme failed_run over"])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("slack", "'slack' is neither webhook, email, pagerduty nor an e-mail address"),
        ("email bad", "'bad' is neither broken nor waiting nor *"),
        ("email * Acme", "'Acme' is no pattern"),
        ("email broken acme globex", "more than a receiver, severities and workspaces"),
    ],
)
def test_routes_that_cannot_be_read_say_why(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said.replace("*", r"\*")):
        parse(text)
