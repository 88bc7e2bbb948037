"""Which source a workspace reads, opened from its row and the environment: one entry a platform."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import BaseModel, SecretStr, ValidationError

from arcana_pipelines import plugins
from arcana_pipelines.credentials.store import STORED, stored_token
from arcana_pipelines.db.engine import Database
from arcana_pipelines.errors import WrongUse
from arcana_pipelines.settings import load_settings, refuse_to_send, token_from_environment
from arcana_pipelines.sources.file_rules import file_rules
from arcana_pipelines.sources.freshdesk.domain import domain_of, web_address
from arcana_pipelines.sources.freshdesk.options import FreshdeskOptions
from arcana_pipelines.sources.notion.options import NotionOptions
from arcana_pipelines.sources.protocol import Source

if TYPE_CHECKING:
    from arcana_pipelines.sources.client import Patience
    from arcana_pipelines.sources.freshdesk.api import FreshdeskApi
    from arcana_pipelines.sources.notion.api import NotionApi

FRESHDESK_KEY_VARIABLE = "FRESHDESK_API_KEY"
NOTION_TOKEN_VARIABLE = "NOTION_TOKEN"
# The assets that read sources: each platform has one of them.
TICKETS = "support_tickets"
READING = ("notion_pages", TICKETS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """What a source is opened with.

    Attributes:
        slug: of the workspace, for messages.
        config: what the workspace's row says of its source, `path` among it where the platform reads files.
        token: the token that its variable holds; None where the platform has none.
        database: for what processes share, such as a rate limit; no connection is held.
        hurried: a person or a sensor waits: the source fails rather than wait.
        seconds: how long one answer may take, the wait for its turn included; None: as the source is set up.
        credential: the variable that holds the token, or `STORED`; empty where that is not known.
    """

    slug: str
    config: Mapping[str, Any]
    token: SecretStr | None
    database: Database
    hurried: bool = False
    seconds: float | None = None
    credential: str = ""

    @property
    def token_goes(self) -> str:
        """What a person does with a new token, as a part of a sentence."""
        from arcana_pipelines.sources.client import TOKEN_GOES

        if self.credential == STORED:
            return f"give it to `arcana workspace set {self.slug} --token-stdin`"
        return f"put it into {self.credential}" if self.credential else TOKEN_GOES


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
        account_variable: the variable that says whose account it is sent to, if one does; likewise.
        path_is: what `--path` has to name, for a platform that reads files; else None.
        settings: what else a workspace may say of it, each field with a default and a description; it arrives in
            `Opening.config`, what is at its default left out. YAML takes it for every platform, the command line and
            requests over HTTP for ours: texts, and what is on or off (`source_options`).
        asset: which asset reads it, one of `READING`.
        is_cheap_to_ask: whether something changed is found without a request, so it is asked at every tick.
        check: refuses what can never be read, before anything is begun; asks no server.
        out_of_reach: why it cannot be read, where that can be seen without opening it; else None.
        owner: whose the token is, in words, by asking the server.
        extra: the extra of this distribution that brings its libraries, if one does.
        is_sample: whether what it reads is ours, to try things with: nobody's money is spent on it.
    """

    kind: ClassVar[str] = "source"

    name: str
    title: str
    open: Callable[[Opening], Source]
    token_variable: str | None = None
    address_variable: str | None = None
    account_variable: str | None = None
    path_is: str | None = None
    settings: type[BaseModel] | None = None
    asset: str = READING[0]
    is_cheap_to_ask: bool = False
    check: Callable[[Mapping[str, Any]], None] = lambda config: None
    out_of_reach: Callable[[Mapping[str, Any]], str | None] = lambda config: None
    owner: Callable[[Opening], str] | None = None
    extra: str = ""
    is_sample: bool = False

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
        variable = variable or self.token_variable
        self.refuse_to_send(variable)
        return token_from_environment(variable, slug, self.title)

    def refuse_to_send(self, secret: str) -> None:
        """Refuse to send what a variable holds to where only a file `.env` says.

        Raises:
            InvalidSetting: it would be.
        """
        for address in filter(None, (self.address_variable, self.account_variable)):
            refuse_to_send(secret, address)


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


def sample_platforms() -> list[str]:
    """The names of those whose workspaces are samples."""
    return [platform.name for platform in _OURS if platform.is_sample]


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
    token = token_of(known, credential_ref, slug, database)
    opening = Opening(
        slug=slug, config=config, token=token, database=database, hurried=hurried,
        credential=credential_ref or known.token_variable or "",
    )  # fmt: skip
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
            token_of(known, credential_ref, slug, database)
        known.check(config)


def token_of(known: Platform, credential_ref: str | None, slug: str, database: Database | None) -> SecretStr | None:
    """A workspace's token, out of its variable or the database; None where its platform has none.

    Raises:
        MissingToken: the variable that should hold it is not set.
        CredentialUnreadable: it is in the database and cannot be decrypted.
        InvalidSetting: where it would be sent, a file `.env` alone says.
    """
    if credential_ref != STORED or known.token_variable is None:
        return known.token(credential_ref, slug)
    assert database is not None
    # Who knows the key has the token: a file that names an address may have it only where the key is its own.
    known.refuse_to_send("ENCRYPTION_KEY")
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


def require_tickets(platform: str, slug: str) -> None:
    """Refuse a workspace that has no tickets; one whose platform is not installed may have some from before.

    Raises:
        WrongUse: it reads something else.
    """
    known = platform_named(platform)
    if known is not None and known.asset != TICKETS:
        raise WrongUse(
            f"Workspace '{slug}' has no tickets: its source is '{known.option}'. Those that have some are those of "
            f"{', '.join(each.option for each in all_platforms() if each.asset == TICKETS)}."
        )


def _not_installed(platform: str) -> str:
    return (
        f"The platform '{platform}' is not installed. Install the plug-in that brings it, then start `arcana up` or "
        "Dagster again."
    )


def _patience(opening: Opening, timeout: float) -> Patience:
    from arcana_pipelines.sources.client import HURRIED, Patience

    patience = HURRIED if opening.hurried else Patience(timeout=timeout)
    if opening.seconds is None:
        return patience
    # A whole answer may take twice the timeout, after a wait for its turn.
    third = opening.seconds / 3
    return replace(patience, timeout=third, longest_pause=third)


def open_notion_api(opening: Opening) -> NotionApi:
    """A client of the Notion API with the opening's token."""
    from arcana_pipelines.sources.client import fingerprint
    from arcana_pipelines.sources.limiter import RateLimiter
    from arcana_pipelines.sources.notion.api import NotionApi

    assert opening.token is not None
    settings = opening.database.settings
    patience = _patience(opening, settings.notion_timeout)
    limiter = RateLimiter(
        opening.database,
        fingerprint(opening.token),
        settings.notion_requests_per_minute,
        longest_wait=patience.longest_pause,
    )
    connections = settings.max_concurrent_requests
    return NotionApi(
        opening.token, settings.notion_base_url, limiter, patience, connections, token_goes=opening.token_goes
    )


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
    settings=NotionOptions,
    owner=_notion_owner,
)


def freshdesk_domain(opening: Opening) -> str:
    """The account that a workspace reads.

    Raises:
        WrongUse: it names none of Freshdesk's.
        InvalidSetting: nothing names one.
    """
    return domain_of(opening.config, opening.database.settings.freshdesk_domain)


def open_freshdesk_api(opening: Opening) -> FreshdeskApi:
    """A client of the Freshdesk API with the opening's key."""
    from arcana_pipelines.sources.client import fingerprint
    from arcana_pipelines.sources.freshdesk import api
    from arcana_pipelines.sources.limiter import RateLimiter

    assert opening.token is not None
    settings = opening.database.settings
    patience = _patience(opening, settings.freshdesk_timeout)
    said = settings.freshdesk_requests_per_minute
    credential, wait = fingerprint(opening.token), patience.longest_pause
    limiter = RateLimiter(
        opening.database, credential, api.FIRST_PER_MINUTE if said is None else said, wait, highest=said or 0
    )
    lists = RateLimiter(
        opening.database,
        f"{credential}:{api.LISTS}",
        0 if said == 0 else api.FIRST_LISTS_PER_MINUTE,
        wait,
        highest=api.MOST_LISTS_PER_MINUTE,
    )
    address = settings.freshdesk_base_url or web_address(freshdesk_domain(opening))
    connections = settings.max_concurrent_requests
    return api.FreshdeskApi(
        opening.token, address, limiter, lists, patience, connections,
        learns_limit=said is None, token_goes=opening.token_goes,
    )  # fmt: skip


def _open_freshdesk(opening: Opening) -> Source:
    from arcana_pipelines.sources.freshdesk.source import FreshdeskSource

    options = FreshdeskOptions.model_validate(
        {name: value for name, value in opening.config.items() if name in FreshdeskOptions.model_fields}
    )
    return FreshdeskSource(
        open_freshdesk_api(opening),
        freshdesk_domain(opening),
        private_notes=options.private_notes,
        articles=options.articles,
        with_files=file_rules(opening.database.settings) is not None,
        is_poll=opening.hurried,
    )


def _freshdesk_owner(opening: Opening) -> str:
    from arcana_pipelines.sources.freshdesk.source import scope_in_words

    api = open_freshdesk_api(opening)
    try:
        agent = api.get("agents/me")
    finally:
        api.close()
    return f"an agent of '{freshdesk_domain(opening)}' who sees {scope_in_words(agent.get('ticket_scope'))}"


def _check_freshdesk(config: Mapping[str, Any]) -> None:
    domain_of(config, None if config.get("domain") else load_settings().freshdesk_domain)


_FRESHDESK = Platform(
    name="freshdesk",
    title="Freshdesk",
    open=_open_freshdesk,
    token_variable=FRESHDESK_KEY_VARIABLE,
    address_variable="FRESHDESK_BASE_URL",
    account_variable="FRESHDESK_DOMAIN",
    settings=FreshdeskOptions,
    asset=TICKETS,
    check=_check_freshdesk,
    owner=_freshdesk_owner,
    extra="files",
)


def _open_sample_helpdesk(opening: Opening) -> Source:
    from arcana_pipelines.sources.freshdesk.sample import SampleHelpdesk

    with_files = file_rules(opening.database.settings) is not None
    return SampleHelpdesk(opening.database, with_files=with_files, is_poll=opening.hurried)


_SAMPLE_HELPDESK = Platform(
    name="sample_helpdesk",
    title="the helpdesk of the sample",
    open=_open_sample_helpdesk,
    asset=TICKETS,
    is_cheap_to_ask=True,
    extra="files",
    is_sample=True,
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
    _FRESHDESK,
    _SAMPLE_HELPDESK,
)


@dataclass(frozen=True, slots=True)
class SourceOption:
    """What a workspace may say of a source of ours beside its token and path.

    Attributes:
        name: the key in the workspace's configuration.
        is_switch: on or off; else a text.
        about: what it does.
        platform: whose it is, as `--source` calls it.
    """

    name: str
    is_switch: bool
    about: str
    platform: str

    @property
    def option(self) -> str:
        """How the command line calls it, without what stands before."""
        return self.name.replace("_", "-")


def source_options() -> tuple[SourceOption, ...]:
    """Those of all of our platforms; no two have the same name."""
    return tuple(
        SourceOption(name, field.annotation is bool, field.description or "", platform.option)
        for platform in _OURS
        for name, field in (platform.settings.model_fields if platform.settings else {}).items()
    )


def source_config(platform: Platform, given: Mapping[str, Any]) -> dict[str, Any]:
    """What the workspace's row says of the options that were given; what is at its default is left out.

    Args:
        given: by their names; None: not given.

    Raises:
        WrongUse: one is another source's, or has a value that it cannot have.
    """
    said = {name: value for name, value in given.items() if value is not None}
    own = platform.settings.model_fields if platform.settings else {}
    whose = {option.name: option.platform for option in source_options()}
    for name in said:
        if name not in own and said[name] is not False:
            option, owner = name.replace("_", "-"), whose.get(name, "…")
            raise WrongUse(f"--{option} belongs to --source {owner}; --source {platform.option} has none.")
    if platform.settings is None:
        return {}
    try:
        checked = platform.settings.model_validate({name: value for name, value in said.items() if name in own})
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        option = "_".join(str(part) for part in first["loc"][:1]).replace("_", "-")
        raise WrongUse(f"--{option}: {first['msg'].removeprefix('Value error, ')}") from None
    return checked.model_dump(mode="json", exclude_defaults=True)


def changed_config(platform: Platform, held: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """What the workspace's row says of its source once some of its options are others (see `source_config`)."""
    own = platform.settings.model_fields if platform.settings else {}
    said = {name: value for name, value in held.items() if name in own}
    others = {name: value for name, value in held.items() if name not in own}
    return {**others, **source_config(platform, {**said, **given})}


def reads_more(platform: Platform, before: Mapping[str, Any], now: Mapping[str, Any]) -> bool:
    """Whether a switch was turned on, so that what was read before may lack something."""
    switches = [option.name for option in source_options() if option.is_switch and option.platform == platform.option]
    return any(now.get(name) is True and before.get(name) is not True for name in switches)
