"""What makes a version, and which addresses are kept."""

from __future__ import annotations

from typing import Any

import pytest

from arcana_pipelines.documents.contents import make_contents
from arcana_pipelines.documents.read_page import ReadPage


def page(**changes: Any) -> ReadPage:
    row = ReadPage(
        external_id="a", kind="row", title="T", url="https://x.y/a", properties={}, body="b", body_links=[],
        partial=[], last_edited_at=None, database="Tasks",
    )  # fmt: skip
    return {**row, **changes}


@pytest.mark.parametrize("url", ["https://x.y/z", "http://x.y", "mailto:a@x.y", "notion://x/y"])
def test_addresses_that_a_person_may_follow_are_kept(url: str) -> None:
    assert make_contents(page(url=url), {}).data["url"] == url


@pytest.mark.parametrize(
    "url", ["javascript:alert(1)", "data:text/html,x", "file:///etc", "https://x.y/\x1b[31m", "", None]
)
def test_other_addresses_are_none(url: str | None) -> None:
    assert make_contents(page(url=url), {}).data["url"] is None


def test_a_title_holds_nothing_that_nobody_sees() -> None:
    assert make_contents(page(title="pay\xad\u202eroll\x1b"), {}).data["title"] == "payroll"


def test_another_title_of_its_database_makes_a_version_and_a_page_without_one_is_as_before() -> None:
    row, renamed, plain = (make_contents(page(database=name), {}) for name in ("Tasks", "Work", None))
    assert len({row.content_hash, renamed.content_hash, plain.content_hash}) == 3
    assert plain.content_hash == make_contents(page(database=""), {}).content_hash
