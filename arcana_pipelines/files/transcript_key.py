"""What a stored transcript is a result of. Apart from what makes one: each sync asks, and few have a recording."""

from __future__ import annotations

from arcana_pipelines.settings import Settings

_VERSION = 1


def transcript_key(settings: Settings) -> str:
    """As `registry.parser_key`: where it differs, a file is sent again."""
    return f"transcript/{_VERSION}+{settings.file_transcription_model}" if settings.file_transcription_url else "none/1"
