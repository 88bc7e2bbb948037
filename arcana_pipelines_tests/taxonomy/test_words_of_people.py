"""What a person said of a topic holds in every version, whichever becomes the active one and how often."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from uuid import UUID

import pytest

from arcana_pipelines.classification.review import Verdict, decide
from arcana_pipelines.db.engine import Database
from arcana_pipelines.taxonomy.given import assign, unassign
from arcana_pipelines_tests.taxonomy.library import Library, row

Say = Callable[[Library, UUID], object]
KIM = "user:kim"


@pytest.fixture
def library(database: Database) -> Iterator[Library]:
    with closing(Library(database)) as library:
        yield library


def split(library: Library) -> None:
    """A is split into itself and C: of both versions it is another topic, though it has one id."""
    library.release(row("A", replaces=("A",)), "B", row("C", replaces=("A",)))


def by_hand(word: Callable[..., object]) -> Say:
    return lambda library, document: word(library.connection, library.workspace_id, document, [("A",)], KIM)


def in_the_queue(verdict: Verdict) -> Say:
    def say(library: Library, document: UUID) -> object:
        return decide(library.connection, library.workspace_id, document, library.node("A"), verdict, KIM)

    return say


@pytest.mark.parametrize("origin", ["person", "given", "rule", "nearest"])
@pytest.mark.parametrize("no", [by_hand(unassign), in_the_queue("rejected")], ids=["unassigned", "rejected"])
def test_what_was_rejected_since_does_not_come_back_with_the_version_before(
    library: Library, no: Say, origin: str
) -> None:
    library.release("A", "B")
    (document,) = library.documents(1)
    library.assign(document, "A", "B", origin=origin)
    split(library)
    no(library, document)
    library.roll_back()
    assert library.topics(document) == {"B": f"{origin} 1"}
    library.promote("1.1.0")
    assert "A" not in library.topics(document)


@pytest.mark.parametrize("yes", [by_hand(assign), in_the_queue("accepted")], ids=["assigned", "accepted"])
def test_what_was_accepted_since_waits_for_nobody_in_the_version_before(library: Library, yes: Say) -> None:
    library.release("A", "B")
    (document,) = library.documents(1)
    library.assign(document, "A", origin="rule", hitl_required=True, confidence=0.5)
    split(library)
    yes(library, document)
    library.roll_back()
    assert library.topics(document) == {"A": "person 1"}


def test_what_was_rejected_in_the_version_before_does_not_come_back_with_the_one_after(library: Library) -> None:
    library.release("A", "B")
    (document,) = library.documents(1)
    library.assign(document, "B")
    split(library)
    by_hand(assign)(library, document)
    library.roll_back()
    by_hand(unassign)(library, document)
    library.promote("1.1.0")
    assert library.topics(document) == {"B": "given 1"}
