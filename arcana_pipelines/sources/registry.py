"""Which source a workspace reads, opened from its row and the environment."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from arcana_pipelines.errors import WrongUse
from arcana_pipelines.settings import Settings, token_from_environment
from arcana_pipelines.sources.protocol import Source

DEFAULT_TOKEN_VARIABLE = "NOTION_TOKEN"


def open_source(
    platform: str, config: Mapping[str, Any], credential_ref: str | None, slug: str, settings: Settings
) -> Source:
    """The source of one workspace; nothing is read yet.

    Raises:
        MissingToken: the variable that should hold its token is not set.
    """
    if platform == "notion":
        from arcana_pipelines.sources.notion.source import NotionSource

        return NotionSource(open_notion_api(credential_ref or DEFAULT_TOKEN_VARIABLE, slug, settings))
    if platform == "notion_export":
        from arcana_pipelines.sources.notion_export import NotionExportSource

        return NotionExportSource(Path(config["path"]))
    raise WrongUse(f"Workspace '{slug}' has the platform '{platform}', which this release cannot read.")


def open_notion_api(variable: str, slug: str, settings: Settings) -> Any:
    """A client of the Notion API with the token that `variable` holds."""
    from arcana_pipelines.sources.notion.api import NotionApi
    from arcana_pipelines.sources.notion.limiter import RateLimiter

    token: SecretStr = token_from_environment(variable, slug)
    return NotionApi(
        token,
        settings.notion_base_url,
        RateLimiter(settings.notion_requests_per_minute),
        settings.notion_timeout,
        settings.max_concurrent_requests,
    )
