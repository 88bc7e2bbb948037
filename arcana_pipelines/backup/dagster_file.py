"""A `dagster.yaml` that the operator has changed: kept as it is, and put back where there is none."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from arcana_pipelines.db.engine import DAGSTER_VARIABLE
from arcana_pipelines.home import room_in
from arcana_pipelines.settings import Settings

log = logging.getLogger(__name__)

NAME = "dagster.yaml"
# Where it is put for people to read where it cannot be put back.
RESTORED = f"{NAME}.restored"
_AS_WRITTEN = Path(__file__).parents[1] / "defs" / NAME
_SECRET = re.compile(r"passw|secret|token|credential|access_key|api_key", re.IGNORECASE)


def changed(settings: Settings, is_encrypted: bool) -> str | None:
    """The text of the file; None: there is none, it is as Arcana writes it, or it is of another Dagster.

    `is_encrypted`: nobody reads it where it is put. Otherwise one with a password in it is left out, and that is said.
    """
    folder = Path(os.environ.get("DAGSTER_HOME") or settings.dagster_home)
    try:
        text = (folder / NAME).read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        log.warning("%s is not in the backup: %s", folder / NAME, error)
        return None
    is_ours = folder == settings.dagster_home or DAGSTER_VARIABLE in text
    if not is_ours or text == _AS_WRITTEN.read_text(encoding="utf-8"):
        return None
    if not is_encrypted and has_secret(text):
        log.warning(
            "%s is not in the backup: there is a password in it, and without ENCRYPTION_KEY anybody who comes to the "
            "place could read it",
            folder / NAME,
        )
        return None
    return text


def put_back(text: str, settings: Settings, is_encrypted: bool) -> str | None:
    """Put the file where it was, unless there is one or it says that Dagster's tables are elsewhere.

    What stands in it names code that is run, so one from a place that is not encrypted, where anybody may have written
    it, is only put where people read it. Returns what a person should know of it; None: nothing, for there is the same.
    """
    there = settings.dagster_home / NAME
    if there.exists() and there.read_text(encoding="utf-8-sig") == text:
        return None
    is_used = is_encrypted and not os.environ.get("DAGSTER_HOME") and DAGSTER_VARIABLE in text and not there.exists()
    file = there if is_used else room_in(settings.home) / RESTORED
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")
    file.chmod(0o600)
    if is_used:
        return f"{there} is as it was changed there: look whether it fits this machine."
    return f"The {NAME} of then, which was changed, is in {file}: take from it what fits."


def has_secret(text: str) -> bool:
    """Whether a password, or the like, stands in a file's YAML as far as names and addresses tell."""
    import yaml

    try:
        said = yaml.safe_load(text)
    except yaml.YAMLError:
        return True
    return any(_SECRET.search(name) or _holds_password(value) for name, value in _texts("", said))


def _texts(name: str, said: Any) -> Iterator[tuple[str, str]]:
    """Each text in it, with the name that it has; of what is read from a variable, that of the variable is no text."""
    if isinstance(said, dict):
        for key, value in said.items():
            if key != "env":
                yield from _texts(str(key), value)
    elif isinstance(said, list):
        for value in said:
            yield from _texts(name, value)
    elif isinstance(said, str):
        yield name, said
        variable, is_set, value = said.partition("=")  # as launchers take the environment of runs
        if is_set:
            yield variable, value


def _holds_password(value: str) -> bool:
    try:
        return bool(urlsplit(value).password)
    except ValueError:
        return False
