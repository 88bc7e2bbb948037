"""Which paths are Dagster's UI's, and what is Dagster's web server."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arcana_pipelines.ui.address import is_below, is_dagster


@pytest.mark.parametrize(
    "path",
    ["/dagster", "/dagster/", "/dagster/assets", "/dagster/assets/", "/dagster/a/b-c_d.e~f", "/dagster/%ED%9C%B4",
     "/dagster/locations/__repository__%40arcana_pipelines/jobs/x", "/dagster/a;b=c,d@e:f"],
)  # fmt: skip
def test_pages_are_below_it(path: str) -> None:
    assert is_below(path)


@pytest.mark.parametrize(
    "path",
    ["", "/", "dagster/", "/dagsterx", "/DAGSTER/", "/dagster/..", "/dagster/.", "/dagster/../x", "/dagster/%2e%2E/x",
     "/dagster/a%2fb", "/dagster/a%5Cb", "/dagster/a\\b", "/dagster//", "/dagster//x", "/dagster/x//", "//dagster/x",
     "/dagster/%00", "/dagster/%0a", "/dagster/a b", "/dagster/é", "/dagster/?x", "/dagster/#x", "/dagster%2fx"],
)  # fmt: skip
def test_what_may_be_read_otherwise_is_not(path: str) -> None:
    assert not is_below(path)


@given(st.lists(st.sampled_from(["..", ".", "%2e", "%2E%2e", "a", "%2f", "%5c", "", "%25", "%252e%252e"])))
def test_no_path_below_it_leads_out_of_it_whoever_reads_it(parts: list[str]) -> None:
    path = "/dagster/" + "/".join(parts)
    if is_below(path):
        assert not {"..", ".", "%2e", "%2E%2e", "%2f", "%5c"} & set(parts)


@pytest.mark.parametrize(
    ("status", "body", "is_one"),
    [(200, b'{"dagster_webserver_version": "1.13.27"}', True), (404, b'{"dagster_webserver_version": "1"}', False),
     (200, b"<!DOCTYPE html>", False), (200, b"[]", False), (200, b"", False), (200, b"\xff", False)],
)  # fmt: skip
def test_dagster_says_what_it_is(status: int, body: bytes, is_one: bool) -> None:
    assert is_dagster(status, body) is is_one
