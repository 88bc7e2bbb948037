"""Processes that read files find our code however it is installed, and say so where they cannot be started."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

import arcana_pipelines
from arcana_pipelines.errors import ArcanaError, ReadersBroken
from arcana_pipelines.files.kinds import FileKind
from arcana_pipelines.files.parsing import processes
from arcana_pipelines.files.parsing.probe import probe
from arcana_pipelines.files.parsing.run import confinement_here, read_file
from arcana_pipelines.settings import Settings


@pytest.fixture
def by_a_hook(monkeypatch: pytest.MonkeyPatch) -> None:
    """The package is known to the importers of this process alone, as `pip install --editable` may do it."""
    root = Path(arcana_pipelines.__file__).resolve().parents[1]
    monkeypatch.setattr(sys, "path", [each for each in sys.path if each and Path(each).resolve() != root])


@pytest.mark.usefixtures("by_a_hook")
def test_they_find_a_package_that_no_path_leads_to(tmp_path: Path) -> None:
    text = tmp_path / "a"
    text.write_text("Everyone has thirty days.")
    with read_file(text, "a.txt", FileKind.TEXT) as reading:
        assert [block.text for block in reading.blocks] == ["Everyone has thirty days."]


@pytest.mark.usefixtures("by_a_hook")
def test_that_none_can_be_started_is_no_file_s_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "_ROOT", str(tmp_path))
    text = tmp_path / "a"
    text.write_text("Everyone has thirty days.")
    with pytest.raises(ReadersBroken, match="arcana doctor"), read_file(text, "a.txt", FileKind.TEXT):
        pass
    with pytest.raises(ReadersBroken, match="arcana_pipelines"):
        confinement_here()
    with pytest.raises(ArcanaError, match="ModuleNotFoundError: No module named 'arcana_pipelines'"):
        probe(Settings(arcana_home=tmp_path))
