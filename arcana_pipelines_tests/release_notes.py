"""What is new in a release, from CHANGELOG.md: `python -m arcana_pipelines_tests.release_notes v0.2.0`.

The release workflow calls it before it builds anything. It needs the standard library alone.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
HEADING = re.compile(r"^## \[(?P<version>[^\]]+)\] - (?P<date>.+)$", re.MULTILINE)


def notes(changelog: str, tag: str, version: str) -> str:
    """The section of a version, without its heading.

    Args:
        changelog: the text of CHANGELOG.md.
        tag: that of the release, `v` and a version.
        version: that of the package.

    Raises:
        SystemExit: tag, package and changelog are not of one mind; the message says what to mend.
    """
    if tag != f"v{version}":
        raise SystemExit(
            f"The tag is {tag} and the package says {version} (arcana_pipelines.__version__). Tag v{version}, or "
            "change the version first."
        )
    headings = list(HEADING.finditer(changelog))
    for at, heading in enumerate(headings):
        if heading["version"] != version:
            continue
        if not re.fullmatch(r"\d{4}-\d{2}-\d{2}", heading["date"]):
            raise SystemExit(
                f"CHANGELOG.md has {version} as '{heading['date']}': put the day of the release there (2026-01-31)."
            )
        end = headings[at + 1].start() if at + 1 < len(headings) else len(changelog)
        text = changelog[heading.end() : end].strip()
        if not text:
            raise SystemExit(f"CHANGELOG.md says nothing of {version}: write down what is new.")
        return text + "\n"
    raise SystemExit(f"CHANGELOG.md has no section '## [{version}] - YYYY-MM-DD': write down what is new.")


def version_of(source: str) -> str:
    """The version that the package's own text names; importing it would need what it depends on."""
    found = re.search(r'^__version__ = "([^"]+)"$', source, re.MULTILINE)
    assert found, "arcana_pipelines/__init__.py names no version"
    return found[1]


def main() -> None:
    source = (ROOT / "arcana_pipelines" / "__init__.py").read_text(encoding="utf-8")
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    sys.stdout.write(notes(changelog, sys.argv[1], version_of(source)))


if __name__ == "__main__":
    main()
