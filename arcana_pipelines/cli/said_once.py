"""What a command's error says is not warned of before it."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from arcana_pipelines.taxonomy import lookup


@contextmanager
def unknown_topics_said_once() -> Iterator[None]:
    """The lookup warns of a path that is no topic, which the command's error says with what is near it."""
    warner = logging.getLogger(lookup.__name__)
    before = warner.level
    if not logging.getLogger().isEnabledFor(logging.INFO):  # arcana -v
        warner.setLevel(logging.ERROR)
    try:
        yield
    finally:
        warner.setLevel(before)
