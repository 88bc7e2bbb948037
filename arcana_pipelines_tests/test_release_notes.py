"""A release tells what the changelog says of it, or is not made."""

from __future__ import annotations

import pytest

import arcana_pipelines
from arcana_pipelines_tests.release_notes import ROOT, notes, version_of

CHANGELOG = """# Changelog

## [0.3.0] - Unreleased

- 다음 것.

## [0.2.0] - 2027-01-15

### Added

- 색인을 내보낸다.

## [0.1.0] - 2026-12-01

- The first.

## [0.0.9] - 2026-11-01
"""


@pytest.mark.parametrize(
    ("version", "text"), [("0.2.0", "### Added\n\n- 색인을 내보낸다.\n"), ("0.1.0", "- The first.\n")]
)
def test_the_notes_are_the_section_of_the_version(version: str, text: str) -> None:
    assert notes(CHANGELOG, f"v{version}", version) == text


@pytest.mark.parametrize(
    ("tag", "version", "said"),
    [
        ("v0.2.1", "0.2.0", "Tag v0.2.0, or change the version"),
        ("0.2.0", "0.2.0", "Tag v0.2.0"),
        ("v0.3.0", "0.3.0", "'Unreleased': put the day"),
        ("v0.0.9", "0.0.9", "says nothing of 0.0.9"),
        ("v0.2", "0.2", r"no section '## \[0.2\] - YYYY-MM-DD'"),
    ],
)
def test_what_is_not_of_one_mind_stops_the_release(tag: str, version: str, said: str) -> None:
    with pytest.raises(SystemExit, match=said):
        notes(CHANGELOG, tag, version)


def test_the_version_is_read_from_the_package_s_own_text() -> None:
    source = (ROOT / "arcana_pipelines" / "__init__.py").read_text(encoding="utf-8")
    assert version_of(source) == arcana_pipelines.__version__


def test_the_changelog_has_a_section_of_this_version() -> None:
    assert f"## [{arcana_pipelines.__version__}] - " in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
