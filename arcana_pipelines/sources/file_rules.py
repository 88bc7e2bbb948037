"""Which files of pages are told of, and from where they are fetched: what the settings say of it."""

from __future__ import annotations

from dataclasses import dataclass

from arcana_pipelines.errors import InvalidSetting
from arcana_pipelines.net.hosts import plain_host
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
    """What the settings say; None where sources are not asked for files.

    Raises:
        InvalidSetting: FILE_EXTERNAL_HOSTS names what is not a host.
    """
    if settings.files == "off":
        return None
    hosts: dict[str, None] = {}
    for named in filter(None, map(str.strip, settings.file_external_hosts.split(","))):
        host = plain_host(named)
        if not host:
            raise InvalidSetting(
                f"FILE_EXTERNAL_HOSTS names {named[:100]!r}, which is not a host: write files.example.com, or "
                "*.example.com for every host below it."
            )
        hosts[host] = None
    return FileRules(settings.file_covers == "on", tuple(hosts))
