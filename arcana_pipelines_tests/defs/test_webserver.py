"""Our web server of Dagster answers at `/`, and below the prefix by which `arcana serve` passes it on."""

from __future__ import annotations

import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient
from starlette.types import ASGIApp

from arcana_pipelines.defs.webserver import WithPrefix, main
from arcana_pipelines.errors import InvalidSetting


def app(name: str) -> ASGIApp:
    return Starlette(routes=[Route("/{path:path}", lambda _: PlainTextResponse(name))])


@pytest.mark.parametrize(
    ("path", "answers"),
    [("/", "the UI"), ("/assets", "the UI"), ("/dagsters", "the UI"), ("/x/dagster/", "the UI"),
     ("/dagster", "below"), ("/dagster/", "below"), ("/dagster/assets", "below")],
)  # fmt: skip
def test_each_path_has_one_application(path: str, answers: str) -> None:
    assert TestClient(WithPrefix(app("the UI"), lambda: app("below"))).get(path).text == answers


def test_the_second_is_made_when_it_is_asked_for_and_once() -> None:
    made: list[ASGIApp] = []
    client = TestClient(WithPrefix(app("the UI"), lambda: made.append(app("below")) or made[-1]))
    client.get("/assets")
    assert made == []
    client.get("/dagster/")
    client.get("/dagster/")
    assert len(made) == 1


def test_without_a_home_of_dagster_an_empty_one_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    with pytest.raises(InvalidSetting, match="Dagster by hand"):
        main()
