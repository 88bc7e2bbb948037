"""Which source a workspace reads, opened from its row and the environment."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from arcana_pipelines.db.engine import Database
from arcana_pipelines.errors import WrongUse
from arcana_pipelines.settings import token_from_environment
from arcana_pipelines.sources.protocol import Source

if TYPE_CHECKING:
    from arcana_pipelines.sources.notion.api import NotionApi

DEFAULT_TOKEN_VARIABLE = "NOTION_TOKEN"


def open_source(
    platform: str,
    config: Mapping[str, Any],
    credential_ref: str | None,
    slug: str,
    database: Database,
    hurried: bool = False,
) -> Source:
    """The source of one workspace; nothing is read yet. A hurried one rather fails than waits.

    Raises:
        MissingToken: the variable that should hold its token is not set.
    """
    if platform == "notion":
        from arcana_pipelines.sources.notion.source import NotionSource

        api = open_notion_api(credential_ref or DEFAULT_TOKEN_VARIABLE, slug, database, hurried)
        return NotionSource(api, with_comments=config.get("comments") is True)
    if platform == "notion_export":
        from arcana_pipelines.sources.notion_export import NotionExportSource

        return NotionExportSource(Path(config["path"]))
    raise WrongUse(f"Workspace '{slug}' has the platform '{platform}', which this release cannot read.")


def check_source(platform: str, config: Mapping[str, Any], credential_ref: str | None, slug: str) -> None:
    """Refuse what can never be read, before anything is begun. Asks no server.

    Raises:
        MissingToken: the variable that should hold the token is not set.
        InvalidExport: there is no export at the path, or none that can be read.
    """
    if platform == "notion":
        token_from_environment(credential_ref or DEFAULT_TOKEN_VARIABLE, slug)
    elif platform == "notion_export":
        from arcana_pipelines.sources.notion_export import validate_export

        validate_export(Path(config["path"]))


def out_of_reach(platform: str, config: Mapping[str, Any]) -> str | None:
    """Why a source cannot be read, where that can be seen without opening it or asking anybody; else None."""
    if platform != "notion_export":
        return None
    path = Path(config["path"])
    if not path.exists():
        return f"There is no export at {path}."
    return None if os.access(path, os.R_OK) else f"The export {path} may not be read by this user."


def open_notion_api(variable: str, slug: str, database: Database, hurried: bool = False) -> NotionApi:
    """A client of the Notion API with the token that `variable` holds.

    Raises:
        MissingToken: it holds none.
    """
    from arcana_pipelines.sources.notion.api import HURRIED, NotionApi, Patience, fingerprint
    from arcana_pipelines.sources.notion.limiter import RateLimiter

    settings = database.settings
    token = token_from_environment(variable, slug)
    patience = HURRIED if hurried else Patience(timeout=settings.notion_timeout)
    limiter = RateLimiter(
        database, fingerprint(token), settings.notion_requests_per_minute, longest_wait=patience.longest_pause
    )
    return NotionApi(token, settings.notion_base_url, limiter, patience, settings.max_concurrent_requests)
