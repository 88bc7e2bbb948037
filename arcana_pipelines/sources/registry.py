"""Which source a workspace reads, opened from its row and the environment: one entry a platform."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import BaseModel, SecretStr

from arcana_pipelines import plugins
from arcana_pipelines.credentials.store import STORED, stored_token
from arcana_pipelines.db.engine import Database
from arcana_pipelines.errors import WrongUse
from arcana_pipelines.settings import refuse_to_send, token_from_environment
from arcana_pipelines.sources.file_rules import file_rules
from arcana_pipelines.sources.protocol import Source

if TYPE_CHECKING:
    from arcana_pipelines.sources.notion.api import NotionApi

NOTION_TOKEN_VARIABLE = "NOTION_TOKEN"
# The assets that read sources: each platform has one of them.
READING = ("notion_pages", "support_tickets")


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """What a source is opened with.

    Attributes:
        slug: of the workspace, for messages.
        config: what the workspace's row says of its source, `path` among it where the platform reads files.
        token: the token that its variable holds; None where the platform has none.
        database: for what processes share, such as a rate limit; no connection is held.
        hurried: a person or a sensor waits: the source fails rather than wait.
    """

    slug: str
    config: Mapping[str, Any]
    token: SecretStr | None
    database: Database
    hurried: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Platform:
    """One kind of source.

    Attributes:
        name: as it stands in `workspace.platform`; `--source` takes it with a dash for `_`. Lower-case letters, digits
            and `_`.
        title: how people call it.
        open: makes the source; nothing is read yet, and what is heavy is imported inside.
        token_variable: the variable that holds its token when a workspace names none; None: it needs no token.
        address_variable: the variable that says where the token is sent, if one does. A file `.env` alone may not
            change it.
        path_is: what `--path` has to name, for a platform that reads files; else None.
        has_comments: `--comments` can be asked for.
        settings: what else a project's YAML may say of it, each field with a description; it arrives in
            `Opening.config`, what is at its default left out. The command line has no options for it.
        asset: which asset reads it, one of `READING`.
        is_cheap_to_ask: whether something changed is found without a request, so it is asked at every tick.
        check: refuses what can never be read, before anything is begun; asks no server.
        out_of_reach: why it cannot be read, where that can be seen without opening it; else None.
        owner: whose the token is, in words, by asking the server.
        extra: the extra of this distribution that brings its libraries, if one does.
    """

    kind: ClassVar[str] = "source"

    name: str
    title: str
    open: Callable[[Opening], Source]
    token_variable: str | None = None
    address_variable: str | None = None
    path_is: str | None = None
    has_comments: bool = False
    settings: type[BaseModel] | None = None
    asset: str = READING[0]
    is_cheap_to_ask: bool = False
    check: Callable[[Mapping[str, Any]], None] = lambda config: None
    out_of_reach: Callable[[Mapping[str, Any]], str | None] = lambda config: None
    owner: Callable[[Opening], str] | None = None
    extra: str = ""

    def __post_init__(self) -> None:
        """Refuse an asset that there is not.

        Raises:
            ValueError: `asset` is none of `READING`.
        """
        if self.asset not in READING:
            raise ValueError(f"the platform '{self.name}' says asset='{self.asset}', which is none of {READING}")

    @property
    def option(self) -> str:
        """How `--source` calls it."""
        return self.name.replace("_", "-")

    def token(self, variable: str | None, slug: str) -> SecretStr | None:
        """The token that the workspace's variable holds, or that of the platform; None where there is none.

        Raises:
            MissingToken: the variable is not set.
        """
        if self.token_variable is None:
            return None
        return token_from_environment(variable or self.token_variable, slug, self.title, self.address_variable)


def platform_named(name: str) -> Platform | None:
    """The platform of this name, or None where no such is installed."""
    return plugins.part_named(Platform, name, _OURS)


def asset_of(platform: str) -> str:
    """Which asset reads workspaces of this platform: the first, whose run says so, where it is not installed."""
    known = platform_named(platform)
    return READING[0] if known is None else known.asset


def our_platforms() -> tuple[Platform, ...]:
    """Those that this distribution brings; no plug-in is loaded."""
    return _OURS


def all_platforms() -> tuple[Platform, ...]:
    """Ours, then those of plug-ins."""
    return (*_OURS, *plugins.installed(Platform.kind).values())


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
        CredentialUnreadable: its token is in the database and cannot be decrypted.
        WrongUse: the platform is not installed, or a library that it needs is missing.
    """
    known = require_platform(platform, slug)
    token = _token(known, credential_ref, slug, database)
    opening = Opening(slug=slug, config=config, token=token, database=database, hurried=hurried)
    if not known.extra:
        return known.open(opening)
    with plugins.optional(f"The source of workspace '{slug}'", known.extra):
        return known.open(opening)


def check_source(
    platform: str,
    config: Mapping[str, Any],
    credential_ref: str | None,
    slug: str,
    database: Database | None = None,
) -> None:
    """Refuse what can never be read, before anything is begun. Asks no server but the database.

    Args:
        database: where a stored token is looked at; None: it is not stored yet.

    Raises:
        MissingToken: the variable that should hold the token is not set.
        CredentialUnreadable: its token is in the database and cannot be decrypted.
        InvalidExport: there is no export at the path, or none that can be read.
    """
    known = platform_named(platform)
    if known is not None:
        if credential_ref != STORED or database is not None:
            _token(known, credential_ref, slug, database)
        known.check(config)


def _token(known: Platform, credential_ref: str | None, slug: str, database: Database | None) -> SecretStr | None:
    if credential_ref != STORED or known.token_variable is None:
        return known.token(credential_ref, slug)
    assert database is not None
    if known.address_variable is not None:
        # Who knows the key has the token: a file that names an address may have it only where the key is its own.
        refuse_to_send("ENCRYPTION_KEY", known.address_variable)
    with database.connection() as connection:
        return stored_token(connection, database.settings, slug)


def out_of_reach(platform: str, config: Mapping[str, Any]) -> str | None:
    """Why a source cannot be read, where that can be seen without opening it or asking a server; else None."""
    known = platform_named(platform)
    return _not_installed(platform) if known is None else known.out_of_reach(config)


def require_platform(platform: str, slug: str) -> Platform:
    """The platform of a workspace.

    Raises:
        WrongUse: it is not installed.
    """
    known = platform_named(platform)
    if known is None:
        raise WrongUse(f"Workspace '{slug}': {_not_installed(platform)}")
    return known


def _not_installed(platform: str) -> str:
    return (
        f"The platform '{platform}' is not installed. Install the plug-in that brings it, then start `arcana up` or "
        "Dagster again."
    )


def open_notion_api(opening: Opening) -> NotionApi:
    """A client of the Notion API with the opening's token."""
    from arcana_pipelines.sources.client import HURRIED, Patience, fingerprint
    from arcana_pipelines.sources.limiter import RateLimiter
    from arcana_pipelines.sources.notion.api import NotionApi

    assert opening.token is not None
    settings = opening.database.settings
    patience = HURRIED if opening.hurried else Patience(timeout=settings.notion_timeout)
    limiter = RateLimiter(
        opening.database,
        fingerprint(opening.token),
        settings.notion_requests_per_minute,
        longest_wait=patience.longest_pause,
    )
    return NotionApi(opening.token, settings.notion_base_url, limiter, patience, settings.max_concurrent_requests)


def _open_notion(opening: Opening) -> Source:
    from arcana_pipelines.sources.notion.source import NotionSource

    files = file_rules(opening.database.settings)
    return NotionSource(open_notion_api(opening), opening.config.get("comments") is True, files)


def _notion_owner(opening: Opening) -> str:
    api = open_notion_api(opening)
    try:
        bot = api.users.me().get("bot") or {}
    finally:
        api.close()
    return f"'{bot.get('workspace_name') or 'a workspace'}'"


def _open_export(opening: Opening) -> Source:
    from arcana_pipelines.sources.notion_export import NotionExportSource

    with_files = file_rules(opening.database.settings) is not None
    return NotionExportSource(Path(opening.config["path"]), with_files=with_files)


def _check_export(config: Mapping[str, Any]) -> None:
    from arcana_pipelines.sources.notion_export import validate_export

    validate_export(Path(config["path"]))


def _export_out_of_reach(config: Mapping[str, Any]) -> str | None:
    path = Path(config["path"])
    if not path.exists():
        return f"There is no export at {path}."
    return None if os.access(path, os.R_OK) else f"The export {path} may not be read by this user."


_NOTION = Platform(
    name="notion",
    title="Notion",
    open=_open_notion,
    token_variable=NOTION_TOKEN_VARIABLE,
    address_variable="NOTION_BASE_URL",
    has_comments=True,
    owner=_notion_owner,
)

_OURS = (
    _NOTION,
    Platform(
        name="notion_export",
        title="an export of Notion",
        open=_open_export,
        path_is="the folder or zip of a Markdown & CSV export",
        is_cheap_to_ask=True,
        check=_check_export,
        out_of_reach=_export_out_of_reach,
    ),
)
