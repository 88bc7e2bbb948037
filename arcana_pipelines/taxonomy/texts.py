"""What topics say of themselves in one version and not in another: definitions, synonyms, names in other languages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from arcana_pipelines.db import query
from arcana_pipelines.db.engine import Connection
from arcana_pipelines.db.statements import statements_beside
from arcana_pipelines.taxonomy.labels import Path

load_sql = statements_beside(__file__)


@dataclass(frozen=True, slots=True)
class TextChange:
    """A topic that both versions have, and says other things of itself.

    Attributes:
        path: in the new version.
        lost: what it said and says no more: `definition`, `synonyms`, `names` (that in one language, or in several).
        changed: what is another now, or is new.
    """

    node_id: UUID
    path: Path
    lost: Sequence[str]
    changed: Sequence[str]

    def __post_init__(self) -> None:
        object.__setattr__(self, "path", tuple(self.path))


@dataclass(frozen=True, slots=True)
class TextCounts:
    """How many topics say other things of themselves.

    Attributes:
        lost: topics that lose their definition, their synonyms, or names in other languages.
        definition: topics whose definition is another, or is new.
        synonyms: likewise.
        names: likewise, in other languages.
    """

    lost: int = 0
    definition: int = 0
    synonyms: int = 0
    names: int = 0

    @classmethod
    def of(cls, changes: Sequence[TextChange]) -> TextCounts:
        """Those of a comparison."""
        return cls(
            sum(bool(change.lost) for change in changes),
            **{what: sum(what in change.changed for change in changes) for what in ("definition", "synonyms", "names")},
        )

    def sentences(self) -> list[str]:
        """The numbers that are not nothing, for people."""
        told = []
        if self.lost:
            verb = "topic loses its" if self.lost == 1 else "topics lose their"
            told.append(f"{self.lost:,} {verb} definition, synonyms or names in other languages")
        if self.definition:
            told.append(f"{self.definition:,} definition{'s' if self.definition != 1 else ''} changed or new")
        if self.synonyms:
            told.append(f"{self.synonyms:,} topic{'s' if self.synonyms != 1 else ''} with other synonyms")
        if self.names:
            told.append(f"{self.names:,} topic{'s' if self.names != 1 else ''} with other names in other languages")
        return told


def texts_changed(connection: Connection, workspace_id: UUID, old: str, new: str) -> list[TextChange]:
    """The topics of both versions that say other things of themselves, in the order of the tree."""
    names = {"workspace_id": workspace_id, "old": old, "new": new}
    return query.rows(connection, TextChange, load_sql("texts_changed"), names)
