"""A distribution of somebody else's, installed for a test."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from arcana_pipelines import plugins

PLUGIN = Path(__file__).parent / "plugin"

TICKETS = {
    "T-1": {
        "subject": "No heating",
        "text": "The heating in room 4 is cold.",
        "updated": "2026-01-05T09:00:00+00:00",
        "by": "kim@desk.example",
    },
    "T-2": {"subject": "Badge lost", "text": "My badge fell into the sea.", "updated": "2026-01-06T09:00:00+00:00"},
    "T-3": {"subject": "휴가", "text": "휴가 신청이 안 됩니다.", "updated": "2026-01-07T09:00:00+00:00"},
}


@pytest.fixture
def plugin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """`ticket-desk` is installed: its folder, with its dist-info, is on the path."""
    monkeypatch.syspath_prepend(str(PLUGIN))
    plugins._all_installed.cache_clear()
    yield
    plugins._all_installed.cache_clear()
    sys.modules.pop("ticket_desk", None)


@pytest.fixture
def tickets(tmp_path: Path) -> Path:
    """A file of three tickets."""
    path = tmp_path / "tickets.json"
    path.write_text(json.dumps(TICKETS))
    return path
