"""One limiter a token: a sliding window and pauses that every process of an installation shares."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

import pytest

from arcana_pipelines.db.engine import Database
from arcana_pipelines.errors import SourcePaused
from arcana_pipelines.sources.limiter import HIGHEST_PER_MINUTE, LOWEST_PER_MINUTE, RateLimiter
from arcana_pipelines.testing.postgres import DatabaseServer
from arcana_pipelines_tests.held_clock import move_clock, with_held_clock

Limiter = Callable[..., RateLimiter]


class Slept(Exception):
    """The limiter would have slept; `seconds` says how long."""

    def __init__(self, seconds: float) -> None:
        super().__init__(seconds)
        self.seconds = seconds


def no_sleep(seconds: float) -> None:
    raise Slept(seconds)


@pytest.fixture
def arcana_database_url(arcana_server: DatabaseServer) -> Iterator[str]:
    """A database of this test's own, whose clock stands still."""
    with arcana_server.database() as url:
        yield with_held_clock(url)


@pytest.fixture
def limiter(database: Database) -> Limiter:
    """A limiter as another process would make it: it shares nothing with the others but the database."""

    def make(
        per_minute: int = 60,
        credential: str = "token",
        longest_wait: float = 60.0,
        highest: int = HIGHEST_PER_MINUTE,
    ) -> RateLimiter:
        return RateLimiter(database, credential, per_minute, longest_wait, no_sleep, highest)

    return make


def fill(limiter: RateLimiter) -> None:
    with contextlib.suppress(Slept):
        for _ in range(HIGHEST_PER_MINUTE + 1):
            limiter.acquire()


def per_minute(database: Database) -> float:
    with database.connection() as connection:
        row = connection.execute("SELECT per_minute FROM source_limit").fetchone()
        assert row is not None
        return float(row[0])


def test_two_processes_share_one_window(limiter: Limiter) -> None:
    one, other = limiter(20), limiter(20)
    for _ in range(10):
        one.acquire()
        other.acquire()
    for full in (one, other, limiter(20)):
        with pytest.raises(Slept) as slept:
            full.acquire()
        assert slept.value.seconds == 60


def test_places_come_back_after_a_minute(limiter: Limiter, database: Database) -> None:
    for _ in range(20):
        limiter(20).acquire()
    move_clock(database, 62)
    for _ in range(20):
        limiter(20).acquire()
    with pytest.raises(Slept):
        limiter(20).acquire()


def test_another_token_has_a_window_of_its_own(limiter: Limiter) -> None:
    for _ in range(10):
        limiter(10).acquire()
    limiter(10, credential="another").acquire()


@pytest.mark.parametrize("window", [0, 60])
def test_a_pause_stops_everybody_on_that_token(limiter: Limiter, window: int) -> None:
    throttled, waiting, other = limiter(window), limiter(window), limiter(window, credential="another")
    throttled.throttled(30, "public_api_request_rate_limit", shrink=True)
    for paused in (throttled, waiting):
        with pytest.raises(Slept) as slept:
            paused.acquire()
        assert slept.value.seconds == 30
    other.acquire()


def test_a_pause_too_long_to_sit_out_gives_the_place_up(limiter: Limiter, database: Database) -> None:
    limiter().throttled(90, "public_api_space_request_rate_limit", shrink=False)
    with pytest.raises(SourcePaused, match="pause for 90 s"):
        limiter().acquire()
    with pytest.raises(SourcePaused):
        limiter(longest_wait=1.0).acquire()
    move_clock(database, 91)
    limiter().acquire()


def test_a_shorter_pause_never_ends_a_longer_one(limiter: Limiter) -> None:
    limiter().throttled(50, "public_api_request_rate_limit", shrink=True)
    limiter().throttled(1, "public_api_request_rate_limit", shrink=True)
    with pytest.raises(Slept) as slept:
        limiter().acquire()
    assert slept.value.seconds == 50


def test_an_absurd_pause_is_an_hour(limiter: Limiter) -> None:
    limiter().throttled(float("inf"), "public_api_request_rate_limit", shrink=True)
    with pytest.raises(SourcePaused, match="3600 s"):
        limiter().acquire()


@pytest.mark.parametrize("window", [0, 20])
def test_a_clock_that_is_set_back_holds_nobody_up(limiter: Limiter, database: Database, window: int) -> None:
    for _ in range(window):
        limiter(window).acquire()
    limiter(window).throttled(30, "public_api_request_rate_limit", shrink=False)
    move_clock(database, -3600)
    limiter(window).acquire()
    # What is asked for from then on counts as ever.
    limiter(window).throttled(5, "public_api_request_rate_limit", shrink=False)
    with pytest.raises(Slept) as slept:
        limiter(window).acquire()
    assert slept.value.seconds == 5


def test_the_allowance_shrinks_once_for_a_burst_and_not_below_its_floor(limiter: Limiter, database: Database) -> None:
    one = limiter(100)
    one.acquire()
    move_clock(database, 5)
    for _ in range(10):
        one.throttled(0, "public_api_request_rate_limit", shrink=True)
    assert per_minute(database) == pytest.approx(80)
    for _ in range(30):
        move_clock(database, 5)
        one.throttled(0, "public_api_request_rate_limit", shrink=True)
    assert per_minute(database) == LOWEST_PER_MINUTE


def test_what_others_use_up_does_not_shrink_our_allowance(limiter: Limiter, database: Database) -> None:
    one = limiter(100)
    one.acquire()
    move_clock(database, 5)
    one.throttled(5, "public_api_space_request_rate_limit", shrink=False)
    assert per_minute(database) == 100


def test_the_allowance_grows_while_the_window_is_full_and_nobody_complains(
    limiter: Limiter, database: Database
) -> None:
    one = limiter(400)
    for _ in range(4):
        fill(one)
        move_clock(database, 130)
    assert per_minute(database) == HIGHEST_PER_MINUTE


def test_what_was_learned_outlives_the_process_until_the_setting_changes(limiter: Limiter, database: Database) -> None:
    one = limiter(100)
    one.acquire()
    move_clock(database, 5)
    one.throttled(0, "public_api_request_rate_limit", shrink=True)
    limiter(100).acquire()
    assert per_minute(database) == pytest.approx(80)
    limiter(50).acquire()
    assert per_minute(database) == 50


def test_a_request_that_counts_for_several_takes_as_many_places(limiter: Limiter) -> None:
    one = limiter(20)
    one.acquire(7)
    one.acquire(7)
    with pytest.raises(Slept):
        one.acquire(7)
    for _ in range(6):
        one.acquire()
    with pytest.raises(Slept):
        one.acquire()


def test_a_request_that_counts_for_more_than_the_window_has_it_for_itself(limiter: Limiter) -> None:
    one = limiter(5)
    one.acquire(7)
    with pytest.raises(Slept):
        one.acquire()


def test_what_the_source_says_that_it_allows_holds_for_every_process_and_does_not_grow(
    limiter: Limiter, database: Database
) -> None:
    one = limiter(40, highest=0)
    one.allow(320.0)
    assert per_minute(database) == 320
    fill(one)
    move_clock(database, 130)
    fill(one)
    move_clock(database, 130)
    limiter(40, highest=0).acquire()
    assert per_minute(database) == 320
    limiter(40, highest=0).allow(80.5)
    assert per_minute(database) == 80.5


def test_what_the_source_counted_otherwise_is_put_right(limiter: Limiter) -> None:
    one = limiter(20)
    one.acquire()
    one.correct(6)
    one.acquire(13)
    with pytest.raises(Slept):
        one.acquire()
    one.correct(-5)
    one.acquire(5)


def test_without_a_window_nothing_is_learned(limiter: Limiter, database: Database) -> None:
    limiter(0).allow(100.0)
    limiter(0).correct(5)
    limiter(0).acquire(7)
    assert per_minute(database) == 0
