"""Every store of a target keeps to the protocol."""

from __future__ import annotations

from pathlib import Path

import pytest

from arcana_pipelines.testing.conformance.targets import TargetConformance


class TestSqlite(TargetConformance):
    @pytest.fixture
    def kind(self) -> str:
        return "sqlite"

    @pytest.fixture
    def broken(self, tmp_path: Path) -> str:
        (tmp_path / "no-database").write_bytes(b"This is no database, but a text of some length." * 40)
        return str(tmp_path / "no-database")
