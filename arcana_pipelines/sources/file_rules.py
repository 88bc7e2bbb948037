"""Which files of pages are told of, and from where they are fetched: what the settings say of it."""

from __future__ import annotations

from dataclasses import dataclass

from arcana_pipelines.settings import Settings


@dataclass(frozen=True, slots=True)
class FileRules:
    """What a source of pages does with their files.

    Attributes:
        covers: covers of pages are files too.
        external_hosts: where files are fetched from that people gave an address of: host names, or `*.` before one for
            every host below it.
    """

    covers: bool = False
    external_hosts: tuple[str, ...] = ()


def file_rules(settings: Settings) -> FileRules | None:
    """What the settings say; None where sources are not asked for files."""
    if settings.files == "off":
        return None
    named = (host.strip().lower().rstrip(".") for host in settings.file_external_hosts.split(","))
    return FileRules(settings.file_covers == "on", tuple(dict.fromkeys(filter(None, named))))
