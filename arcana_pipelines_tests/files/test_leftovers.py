"""What a reading leaves in the directory for temporary files when its process is killed."""

from __future__ import annotations

import os
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from arcana_pipelines.files.parsing.run import sweep_leftovers


def test_is_deleted_when_it_is_old_and_a_directory_of_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    before = datetime.now(UTC) - timedelta(days=1)
    old, new, other, target = (tmp_path / name for name in ("arcana-file-old", "arcana-file-new", "other", "target"))
    for made in (old, new, other, target):
        made.mkdir()
        (made / "attachment").write_text("a text")
    link = tmp_path / "arcana-file-link"
    link.symlink_to(target)
    for aged in (old, other, target):
        os.utime(aged, (0, 0))
    os.utime(link, (0, 0), follow_symlinks=False)
    sweep_leftovers(before)
    assert {path.name for path in tmp_path.iterdir()} == {"arcana-file-new", "other", "target", "arcana-file-link"}
    assert (target / "attachment").exists()
