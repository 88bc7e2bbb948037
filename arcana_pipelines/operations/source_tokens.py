"""Whose the tokens are that workspaces read their sources with: each is asked for once, and nothing is changed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from pydantic import SecretStr

from arcana_pipelines.credentials.store import STORED
from arcana_pipelines.db.engine import Database
from arcana_pipelines.errors import ArcanaError
from arcana_pipelines.settings import giver
from arcana_pipelines.sources.registry import Opening, Platform, all_platforms, platform_named, token_of
from arcana_pipelines.workspaces.workspaces import list_all

MOST_ASKED = 10
"""Tokens that are asked for at one time."""

Check = tuple[str, Callable[[], str]]


@dataclass(slots=True)
class _Use:
    """One token at one account, and the workspaces that read with it; none: its variable is set, and nobody's yet."""

    platform: Platform
    credential: str
    config: Mapping[str, Any]
    token: SecretStr
    slugs: list[str] = field(default_factory=list)

    @property
    def name(self) -> str:
        return f"{self.platform.name} of {', '.join(self.slugs)}" if self.slugs else self.platform.name

    def is_same(self, other: _Use) -> bool:
        """Whether the same answer is to be expected: switches say what is read, and not where."""
        return (self.platform.name, self.token, _account(self.config)) == (
            other.platform.name, other.token, _account(other.config)
        )  # fmt: skip

    def owner(self, database: Database, seconds: float) -> str:
        assert self.platform.owner is not None
        opening = Opening(
            slug=self.slugs[0] if self.slugs else "doctor", config=self.config, token=self.token, database=database,
            hurried=True, seconds=seconds, credential=self.credential,
        )  # fmt: skip
        where = "in the database" if self.credential == STORED else f"of {self.credential}"
        return f"the token {where} belongs to {self.platform.owner(opening)}"


def _account(config: Mapping[str, Any]) -> dict[str, str]:
    return {name: value for name, value in config.items() if isinstance(value, str)}


def token_checks(database: Database, seconds: float) -> Iterator[Check]:
    """A check for each token of an active workspace, and for the variables of platforms that no workspace reads by.

    Each has a name with the workspaces in it, and says whose the token is, or raises why that is not known. It takes
    so many `seconds` at most, and `MOST_ASKED` of them ask a source.
    """
    with database.connection() as connection:
        active = [row for row in list_all(connection) if row.status == "active"]
    wanted = [
        (platform, row.slug, row.source_config, row.credential_ref or platform.token_variable)
        for row in active
        if (platform := platform_named(row.platform)) is not None and platform.owner is not None
    ]
    used = {(platform.name, credential) for platform, _, _, credential in wanted}
    wanted += [
        (platform, "", {}, platform.token_variable)
        for platform in all_platforms()
        if platform.owner is not None
        and (platform.name, platform.token_variable) not in used
        and platform.token_variable is not None
        and giver(platform.token_variable)
    ]
    uses: list[_Use] = []
    for platform, slug, config, credential in wanted:
        try:
            token = token_of(platform, credential, slug or "doctor", database)
        except ArcanaError as error:
            yield f"{platform.name} of {slug}" if slug else platform.name, partial(_failed, error)
            continue
        if token is None or credential is None:
            continue
        use = _Use(platform, credential, config, token)
        same = next((each for each in uses if each.is_same(use)), None)
        if same is None:
            uses.append(same := use)
        same.slugs += filter(None, [slug])
    for use in uses[:MOST_ASKED]:
        yield use.name, partial(use.owner, database, seconds)
    if left := uses[MOST_ASKED:]:
        yield "tokens", lambda: f"not asked for: {'; '.join(use.name for use in left)}"


def _failed(error: ArcanaError) -> str:
    raise error
