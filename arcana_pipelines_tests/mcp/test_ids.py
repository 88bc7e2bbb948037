"""Ids name what a workspace holds, whatever the workspace is called."""

from __future__ import annotations

import pytest

from arcana_pipelines.errors import WrongUse
from arcana_pipelines.mcp.ids import Named, read_id
from arcana_pipelines.workspaces.workspaces import check_slug

DOCUMENT = "0190f3a2-7c1e-7cc4-9f0a-3d2b1a4c5e6f"


@pytest.mark.parametrize("slug", ["a", "acme", "acme-support", "acme_support", "7", "a" * 63])
@pytest.mark.parametrize("passage", [None, 3])
def test_an_id_is_read_as_it_was_written(slug: str, passage: int | None) -> None:
    check_slug(slug)
    named = Named(slug, DOCUMENT, passage)
    assert read_id(str(named)) == named


@pytest.mark.parametrize("slug", ["", "-a", "a-", "_a", "A", "a" * 64, "a/b"])
def test_what_no_workspace_is_called_is_in_no_id(slug: str) -> None:
    with pytest.raises(WrongUse, match="is no id"):
        read_id(f"{slug}/{DOCUMENT}")
