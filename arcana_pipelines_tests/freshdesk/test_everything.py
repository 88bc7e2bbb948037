"""What a reader finds of a whole help desk, compared with an oracle that knows the world and no code of the source."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from arcana_pipelines.sources.protocol import FetchedPage, PageRef, Presence
from arcana_pipelines.testing.freshdesk_server import FreshdeskWorld, add_hostile, expectations, problems_of, seed_world
from arcana_pipelines_tests.freshdesk.conftest import Desk, listed

Pages = dict[str, tuple[PageRef, FetchedPage]]


@pytest.fixture
def desk(open_desk: Callable[[FreshdeskWorld], Desk]) -> Desk:
    """A help desk in use, with tickets that want to break their reader."""
    world = seed_world(40)
    add_hostile(world)
    return open_desk(world)


@pytest.fixture
def pages(desk: Desk) -> Pages:
    desk.settle()
    source = desk.source(private_notes=True, articles=True, with_files=True)
    refs, listing = listed(source)
    assert listing.complete
    found: Pages = {}
    for ref in refs.values():
        if not ref.is_container and not ref.in_trash:
            page = source.fetch(ref)
            found[ref.external_id] = ref, page
            found.update({companion.external_id: (companion, each) for companion, each in page.companions or ()})
    return found


@pytest.mark.slow
def test_everything_that_people_said_is_there_once_and_nothing_else(desk: Desk, pages: Pages) -> None:
    expected = expectations(desk.world, private_notes=True, articles=True)
    alive = {key: each for key, each in expected.items() if each.state == "alive" and not each.is_container}
    assert set(pages) == set(alive)
    problems = {
        key: found
        for key, each in alive.items()
        if (found := problems_of(each, pages[key][1].title or pages[key][0].title, pages[key][1].markdown))
    }
    assert problems == {}


@pytest.mark.slow
def test_properties_links_files_and_records_are_those_of_the_world(desk: Desk, pages: Pages) -> None:
    for key, each in expectations(desk.world, private_notes=True, articles=True).items():
        if key not in pages:
            continue
        ref, page = pages[key]
        assert (ref.kind, ref.parent_id or None) == (each.kind, each.parent_id)
        assert ref.revision == each.revision or each.kind == "article"
        assert {name: ref.properties[name]["text"] for name in each.properties} == dict(each.properties)
        assert all(value["hidden"] is True for value in ref.properties.values())
        # A name is a label, never a path.
        labels = [name.translate(str.maketrans("/\\", "__")) for name in each.attachments]
        assert sorted(file.name for file in page.files or ()) == sorted(labels)
        assert set(each.links) <= set(page.links)
        if each.kind == "ticket":
            assert page.record is not None
            assert {name: page.record[name] for name in each.record} == dict(each.record)
            said = [one for one in page.record["conversations"] if one["message_type"] != "private"]
            assert [(one["conversation_id"], one["message_type"], one["author_type"]) for one in said] == [
                (one.conversation_id, one.message_type, one.author_type) for one in each.messages
            ]


def test_a_direct_look_says_of_each_item_what_became_of_it(open_desk: Callable[[FreshdeskWorld], Desk]) -> None:
    desk = open_desk(seed_world(20, archive=True, days=300))
    first, second, third, *_ = (each.id for each in desk.world.tickets.values() if each.is_listed)
    desk.world.delete(first)
    desk.world.spam(second)
    desk.world.delete_for_ever(third)
    source = desk.source()
    said = {"alive": Presence.ALIVE, "trashed": Presence.TRASHED, "archived": Presence.ARCHIVED, "gone": Presence.GONE}
    looked = {key: source.confirm(key)[0] for key in expectations(desk.world)}
    assert looked == {key: said[each.state] for key, each in expectations(desk.world).items()}
    assert set(looked.values()) == set(said.values())
