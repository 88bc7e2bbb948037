"""What is tried again, how long a server may ask to wait, and what an error says of a key."""

from __future__ import annotations

import pytest
from tenacity.wait import wait_fixed
from urllib3.exceptions import HTTPError, NewConnectionError, ReadTimeoutError

from arcana_pipelines.net.failures import quiet, timed_out
from arcana_pipelines.net.retry import Tried, TryAgain, until_answered
from arcana_pipelines.net.retry_after import LONGEST_NAMED_SECONDS, number_of_seconds, retry_after
from arcana_pipelines_tests.conftest import Naps

DATE = "Wed, 21 Oct 2026 07:28:00 GMT"


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("7.5", 7.5), ("-3", 0), ("1e999", LONGEST_NAMED_SECONDS), ("Wed, 21 Oct 2026 07:28:07 GMT", 7),
        ("Wed, 21 Oct 2026 07:27:07 GMT", 0), ("soon", None), ("nan", None), ("", None), (None, None),
    ],
)  # fmt: skip
def test_retry_after_is_a_number_or_a_date_read_against_the_answers_own(
    value: str | None, seconds: float | None
) -> None:
    assert retry_after(value, DATE) == seconds


def test_a_pause_in_milliseconds_may_be_as_long_as_one_in_seconds() -> None:
    assert number_of_seconds("100000", unit=0.001) == 100
    assert number_of_seconds(DATE, unit=0.001) is None


def test_a_request_is_tried_until_it_is_given_up_with_the_pauses_that_the_caller_chooses(naps: Naps) -> None:
    seen: list[Tried] = []
    pauses = iter([None, 7.0, None])

    def attempt() -> None:
        raise TryAgain("no", next(pauses))

    def gives_up(tried: Tried) -> bool:
        seen.append(tried)
        return tried.attempts == 3

    with pytest.raises(TryAgain, match="no"):
        until_answered(
            attempt, backoff=wait_fixed(2), gives_up=gives_up, wait=lambda tried: tried.pause or tried.backoff
        )
    assert naps.seconds == [2, 7]
    assert [(tried.attempts, tried.waited, tried.pause) for tried in seen] == [(1, 0, None), (2, 2, 7.0), (3, 9, None)]


def test_what_is_no_try_again_is_raised_at_once(naps: Naps) -> None:
    def attempt() -> None:
        raise ValueError

    with pytest.raises(ValueError):
        until_answered(attempt, backoff=wait_fixed(2), gives_up=lambda _: False, wait=lambda tried: tried.backoff)
    assert not naps.seconds


def test_a_server_that_cannot_be_reached_did_not_time_out() -> None:
    pool = object()
    assert timed_out(ReadTimeoutError(pool, "/", "late"))  # type: ignore[arg-type]
    assert not timed_out(NewConnectionError(pool, "refused"))  # type: ignore[arg-type]
    assert not timed_out(HTTPError("broken"))


def test_the_key_is_taken_out_of_a_message_before_it_is_cut() -> None:
    assert quiet("Bearer sk-1 " + "x" * 400, "sk-1").startswith("Bearer *** x")
    assert "sk" not in quiet("x" * 298 + "sk-1", "sk-1")
    assert quiet("as it is", "") == "as it is"
