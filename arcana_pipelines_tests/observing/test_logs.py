"""Lines of the log as JSON: whom they are about, and nothing that people wrote."""

from __future__ import annotations

import logging

import pytest

from arcana_pipelines.errors import EmbeddingFailed
from arcana_pipelines.net.workers import worker_threads
from arcana_pipelines.observing import logs
from arcana_pipelines.observing.context import note, now, working_for
from arcana_pipelines_tests.harness import Harness
from arcana_pipelines_tests.observing.lines import Lines

CANARY = "Kanarienvogel-카나리아"

log = logging.getLogger("arcana_pipelines.somewhere")


def test_a_line_says_when_how_bad_from_where_for_whom_and_what(lines: Lines) -> None:
    with working_for(run="run-1", workspace="acme", company="c-1"):
        log.warning("%d pages are gone: %s", 3, "너무 많다")
    (line,) = lines.all()
    assert line.pop("ts").endswith("+00:00")
    assert line == {
        "level": "warning", "logger": "arcana_pipelines.somewhere", "message": "3 pages are gone: 너무 많다",
        "run": "run-1", "workspace": "acme", "company": "c-1",
    }  # fmt: skip


def test_an_error_is_told_by_its_class_and_where_it_was_and_not_by_its_words(lines: Lines) -> None:
    try:
        raise EmbeddingFailed(f"Key (title)=({CANARY}) already exists.")
    except EmbeddingFailed as error:
        log.warning("searching by words only: %s", error, exc_info=True)
    (line,) = lines.all()
    assert line["message"] == "searching by words only: EmbeddingFailed"
    assert line["error"] == "arcana_pipelines.errors.EmbeddingFailed"
    assert __file__ in line["at"][-1] and CANARY not in lines.text


@pytest.mark.parametrize(
    "secret",
    [
        "postgresql://arcana:hunter2hunter2@db/arcana", "Authorization: Bearer hunter2hunter2", "arc_hunter2hunter2",
        "ntn_hunter2hunter2", "sk-hunter2hunter2", "password=hunter2hunter2", "https://x.test/?token=hunter2hunter2",
    ],
)  # fmt: skip
def test_secrets_are_masked_whoever_wrote_them(lines: Lines, secret: str) -> None:
    logging.getLogger("someone.else").warning("it said %s", secret)
    assert "***" in lines.text and "hunter2" not in lines.text


def test_threads_of_a_stage_work_for_the_same_run() -> None:
    with working_for(run="run-1"), worker_threads(2, "test") as pool:
        assert [pool.submit(lambda: dict(now())).result() for _ in range(3)] == [{"run": "run-1"}] * 3
    assert dict(now()) == {}


def test_what_is_found_out_inside_is_known_outside_until_it_ends() -> None:
    note(company="nobody")
    with working_for(request_id="r"):
        note(company="c-1")
        assert dict(now()) == {"request_id": "r", "company": "c-1"}
    assert dict(now()) == {}


def test_a_sync_logs_no_text_of_pages(acme: Harness, lines: Lines) -> None:
    acme.world.add_page(f"Vacation {CANARY}", blocks=f"Thirty days. {CANARY}")
    acme.settle()
    acme.sync()
    log.warning("after it")
    assert CANARY not in lines.text and lines.all()[-1].keys() == {"ts", "level", "logger", "message"}


def test_in_a_process_of_dagsters_our_own_lines_are_json_once(monkeypatch: pytest.MonkeyPatch) -> None:
    ours = logging.getLogger(logs.OURS)
    before = list(ours.handlers)
    try:
        logs.configure_ours()
        assert ours.handlers == before
        monkeypatch.setenv("LOG_FORMAT", "json")
        logs.configure_ours()
        logs.configure_ours()
        (added,) = [handler for handler in ours.handlers if handler not in before]
        assert isinstance(added.formatter, logs.JsonLines)
    finally:
        ours.handlers = before
