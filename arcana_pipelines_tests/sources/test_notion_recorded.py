"""What the real API sent is read whole: no recorded object raises, and no word that a person sees gets lost.

What is visible in an object is found here by its shape alone, without the code that is tested. The recordings
hold few kinds of properties and blocks, so one recorded sample of each kind is read besides them.
"""

from __future__ import annotations

import copy
import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from functools import cache
from typing import Any, cast

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from arcana_pipelines.documents.contents import make_contents
from arcana_pipelines.documents.read_page import ReadPage
from arcana_pipelines.errors import AnswerUnusable, PageUnavailable
from arcana_pipelines.markdown.normalise import normalise
from arcana_pipelines.sources.notion.api import NotionApi
from arcana_pipelines.sources.notion.blocks import render
from arcana_pipelines.sources.notion.body import BodyReader
from arcana_pipelines.sources.notion.comments import comment_line
from arcana_pipelines.sources.notion.endpoints import Endpoints
from arcana_pipelines.sources.notion.pages import data_source_ref, notion_id, page_ref
from arcana_pipelines.sources.notion.properties import read_properties
from arcana_pipelines.sources.notion.property_items import read_property
from arcana_pipelines.sources.notion.rich_text import inline, plain
from arcana_pipelines.sources.notion.users import UserNames
from arcana_pipelines.sources.protocol import PageRef
from arcana_pipelines_tests.testing.shared_data import SHARED_DATA, shared_file

Json = dict[str, Any]

AT_LEAST = {
    "block": 100,
    "comment": 9,
    "data_source": 35,
    "database": 25,
    "page": 55,
    "page_markdown": 2,
    "property_item": 1,
    "user": 10,
}
SAMPLES_AT_LEAST = {"BLOCK": 28, "PROP": 25, "MENTION": 5}


# What was recorded


@cache
def exchanges(name: str) -> list[Json]:
    """The JSON answers of one cassette."""
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    found = []
    for exchange in yaml.load((SHARED_DATA / "notion-cassettes" / name).read_text(), Loader=loader)["interactions"]:
        try:
            found.append(json.loads(exchange["response"]["body"]["string"]))
        except ValueError:
            continue  # a gateway's page, no answer of Notion's
    return found


def objects(answer: Json) -> Iterator[Json]:
    """An answer, or the objects of a list."""
    if answer.get("object") == "list":
        yield from (item for item in answer["results"] if isinstance(item, dict))
    else:
        yield answer


def _recordings() -> list[tuple[str, str]]:
    """(cassette, kind of object) for all that this product has a use for."""
    names = sorted(path.name for path in (SHARED_DATA / "notion-cassettes").glob("*.yaml"))
    found = []
    for name in names:
        kinds = {item.get("object") for answer in exchanges(name) for item in objects(answer)}
        found += [(name, kind) for kind in sorted(kinds & AT_LEAST.keys())]
    return found


@cache
def samples(section: str) -> dict[str, Json]:
    """Recorded samples of one kind of thing, by type; those that the file cuts short are left out."""
    path = SHARED_DATA / "notion-shapes.txt"
    found: dict[str, Json] = {}
    current = ""
    for line in path.read_text().splitlines() if path.exists() else ():
        if line.startswith("== "):
            current = line.removeprefix("== ")
        elif current == section and " | " in line:
            name, _, sample = line.partition(" | ")
            try:
                found[name] = json.loads(sample)
            except ValueError:
                continue
    return found


RECORDINGS = _recordings()


# What a person sees


def words(text: str) -> Counter[str]:
    """Words with how often each is there."""
    return Counter(re.findall(r"\w+", text))


def segments(value: Any) -> Iterator[str]:
    """Every `plain_text` in an object, wherever it is."""
    if isinstance(value, Mapping):
        if isinstance(text := value.get("plain_text"), str):
            yield text
        yield from (text for inner in value.values() for text in segments(inner))
    elif isinstance(value, list):
        yield from (text for inner in value for text in segments(inner))


def plain_texts(value: Any) -> Iterator[str]:
    """Every rich text in an object, wherever it is: its segments belong together, a word may run over two."""
    if isinstance(value, list) and any(isinstance(item, Mapping) and "plain_text" in item for item in value):
        yield "".join(item["plain_text"] for item in value)
    elif isinstance(value, Mapping | list):
        for inner in value.values() if isinstance(value, Mapping) else value:
            yield from plain_texts(inner)


def shown_by_block(block: Json) -> list[str]:
    """Rich text and captions, and the titles, formulas and names that blocks have instead."""
    payload = block[block["type"]]
    besides = [payload.get(key) for key in ("title", "expression", "name")]
    address = payload.get("url") if block["type"] in ("bookmark", "embed", "link_preview") else None
    return [*plain_texts(payload), *(text for text in [*besides, address] if isinstance(text, str))]


def shown_by_property(value: Any) -> list[str]:
    """What a cell shows. Not a time of editing (only its day), not a box's tick, not the pages of a relation."""
    if not isinstance(value, Mapping):
        return []
    kind = value["type"]
    content = value[kind]
    if content is None or kind in ("relation", "checkbox", "boolean", "button"):
        return []
    if kind in ("title", "rich_text"):
        return list(plain_texts(content))
    if kind in ("formula", "rollup"):
        return shown_by_property(content)
    if kind == "array":
        return [text for item in content for text in shown_by_property(item)]
    if kind in ("select", "status", "created_by", "last_edited_by"):
        return [content["name"]]
    if kind in ("multi_select", "people", "files"):
        return [item["name"] for item in content]
    if kind == "date":
        # The seconds and the offset from UTC are no part of what the editor shows.
        return [moment[:16].replace("T", " ") for moment in (content["start"], content["end"]) if moment]
    if kind == "last_edited_time":
        return [content[:10]]
    if kind == "unique_id":
        return [f"{content['prefix'] or ''} {content['number']}"]
    if kind == "place":
        return [content[key] or "" for key in ("name", "address")]
    return [str(content)]


def visible_in_markdown(markdown: str) -> str:
    """A Markdown answer without tags, addresses and escapes."""
    text = re.sub(r"<[^<>]*>", " ", markdown)
    text = re.sub(r"\]\([^()\s]*\)", "] ", text)
    return re.sub(r"\\(?=\W)", "", text)


# How this product reads it


def read_blocks(blocks: list[Json]) -> str:
    """The text of a page that has these blocks. What is below them was not recorded."""
    rendered = render("root", lambda block_id: blocks if block_id == "root" else [])
    assert not rendered.problems
    text = normalise(rendered.markdown).text
    assert normalise(text).text == text, "reading the text again changes it"
    return text


def indexed(ref: PageRef, body: str = "") -> str:
    """The text that the index gets of a page: title, cells and body."""
    row = ReadPage(
        external_id=ref.external_id,
        title=ref.title,
        kind=ref.kind,
        url=ref.url,
        properties=json.loads(json.dumps({name: dict(value) for name, value in ref.properties.items()})),
        last_edited_at=ref.last_edited_at,
        body=body,
        body_links=(),
        partial=[],
        database=None,
    )
    data = make_contents(row, {}).data
    return "\n".join([data["title"], data["text"], *(value["text"] for value in data["properties"].values())])


NOBODY = "00000000-0000-4000-8000-000000000000"


class Answers(Endpoints):
    """A Notion that knows these answers, by path, and nothing else."""

    def __init__(self, answers: dict[str, Json]) -> None:
        super().__init__()
        self.answers = answers

    def request(self, path: str, method: str, **_: Any) -> Json:
        """The answer at an address."""
        if path not in self.answers:
            raise PageUnavailable(path)
        return self.answers[path]


def read_comment(comment: Json) -> str:
    """The line that a page shows of a comment."""
    nobody = UserNames(cast(NotionApi, Answers({})))
    return normalise(comment_line(comment, nobody)).text


def read_user(user: Json) -> str:
    """The text of a cell that names this person."""
    return str(read_properties({"Who": {"id": "w", "type": "people", "people": [user]}})["Who"]["text"])


def read_property_item(item: Json) -> str:
    """The cell that this item completes, where the page object had none of it."""
    kind = item["type"]
    many = kind in ("title", "rich_text", "people", "relation")
    path = f"pages/{NOBODY}/properties/{item['id']}"
    answer = {"object": "list", "results": [item], "has_more": False, "property_item": {}} if many else item
    api = cast(NotionApi, Answers({path: answer}))
    return str(read_property(api, NOBODY, item["id"], {"type": kind, "text": "", "value": None})["text"])


def read_markdown(answer: Json) -> str:
    """The text of the page whose Markdown this is."""
    api = cast(NotionApi, Answers({f"pages/{answer['id']}/markdown": answer}))
    body = BodyReader(api).read(answer["id"])
    return normalise(body.markdown).text


def read(item: Json) -> tuple[str, str]:
    """What a person sees in an object, and what this product reads from it."""
    kind = item["object"]
    if kind == "page":
        ref = page_ref(item)
        assert ref.external_id == item["id"] and ref.last_edited_at > datetime(2020, 1, 1, tzinfo=UTC)
        assert ref.in_trash == bool(item.get("in_trash") or item.get("archived"))
        shown = [text for value in item["properties"].values() for text in shown_by_property(value)]
        return " ".join(shown), indexed(ref)
    if kind == "data_source":
        return " ".join(plain_texts(item["title"])), data_source_ref(item).title
    if kind == "database":
        # Databases are never read: their data sources are. Only that their text can be read is known here.
        return " ".join(plain_texts(item)), f"{plain(item['title'])} {plain(item['description'])}"
    if kind == "block":
        trashed = item.get("in_trash") or item.get("archived")
        assert not trashed or not read_blocks([item]), "a block in the trash is shown"
        return " ".join(shown_by_block(item)), read_blocks([{**item, "in_trash": False, "archived": False}])
    if kind == "comment":
        return " ".join([*plain_texts(item), item["display_name"]["resolved_name"]]), read_comment(item)
    if kind == "user":
        return str(item["name"] or ""), read_user(item)
    if kind == "property_item":
        return " ".join(plain_texts(item)), read_property_item(item)
    assert kind == "page_markdown"
    return visible_in_markdown(item["markdown"]), read_markdown(item)


# The recordings


@pytest.mark.parametrize(
    ("cassette", "kind"),
    RECORDINGS,
    ids=[f"{name.removesuffix('.yaml').removeprefix('test_')}-{kind}" for name, kind in RECORDINGS],
)
def test_what_was_recorded_is_read_whole(cassette: str, kind: str) -> None:
    for number, answer in enumerate(exchanges(cassette)):
        for place, item in enumerate(objects(answer)):
            if item.get("object") == kind:
                seen, got = read(item)
                lost = words(seen) - words(got)
                assert not lost, f"{cassette}, exchange {number}, object {place}: lost {sorted(lost)}"


def test_the_recordings_hold_enough_of_every_kind() -> None:
    shared_file("notion-cassettes")
    shared_file("notion-shapes.txt")
    counted = Counter(
        item.get("object") for name, _ in set(RECORDINGS) for answer in exchanges(name) for item in objects(answer)
    )
    few = {kind: counted[kind] for kind, least in AT_LEAST.items() if counted[kind] < least}
    few |= {name: len(samples(name)) for name, least in SAMPLES_AT_LEAST.items() if len(samples(name)) < least}
    assert not few


@pytest.mark.parametrize("cassette", sorted({name for name, kind in RECORDINGS if kind == "block"}))
def test_a_recorded_list_of_blocks_is_one_text(cassette: str) -> None:
    for answer in exchanges(cassette):
        blocks = [item for item in objects(answer) if item.get("object") == "block"]
        if len(blocks) > 1:
            text = read_blocks(blocks)
            assert not words(" ".join(text for block in blocks for text in shown_by_block(block))) - words(text)
            order = [text.find(seen) for block in blocks for seen in shown_by_block(block)[:1]]
            assert order == sorted(order), "the blocks changed places"


# One sample of each kind


@pytest.mark.parametrize("kind", samples("BLOCK"))
def test_a_recorded_block_of_each_type_is_read_whole(kind: str) -> None:
    block = {"object": "block", "id": "b", "type": kind, **samples("BLOCK")[kind]}
    assert not words(" ".join(shown_by_block(block))) - words(read_blocks([block]))


@pytest.mark.parametrize("kind", samples("PROP"))
def test_a_recorded_property_of_each_type_is_read_whole(kind: str) -> None:
    value = samples("PROP")[kind]
    page = {"object": "page", "id": NOBODY, "properties": {"Cell": value}}
    assert not words(" ".join(shown_by_property(value))) - words(indexed(page_ref(page)))


@pytest.mark.parametrize("kind", samples("MENTION"))
def test_a_recorded_mention_of_each_type_is_read_whole(kind: str) -> None:
    segment = samples("MENTION")[kind]
    seen = words(segment["plain_text"])
    assert not seen - words(plain([segment]))
    assert not seen - words(normalise(inline([segment])).text)


# The same, damaged


@cache
def originals() -> list[Json]:
    """One recorded object of every shape, and a page with every recorded property."""
    cells = {name: value for name, value in samples("PROP").items() if value["type"] != "title"}
    found = [{"object": "page", "id": "p", "last_edited_time": "2026-06-27T17:01:00.000Z", "properties": cells}]
    found += [{"object": "block", "id": "b", "type": kind, **block} for kind, block in samples("BLOCK").items()]
    shapes: set[str] = set()
    for name, _ in RECORDINGS:
        for item in (item for answer in exchanges(name) for item in objects(answer)):
            shape = re.sub(r'": (?!\{|\[)[^,}\]]*', "", json.dumps(item))
            if item.get("object") in ("page", "data_source", "block", "comment", "user") and shape not in shapes:
                shapes.add(shape)
                found.append(item)
    return found


def places(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """The way to every value in an object."""
    if path:
        yield path
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in inside:
        yield from places(inner, (*path, key))


def look(item: Json) -> tuple[list[str], str]:
    """All `plain_text` still in an object, and what is read of it, for any shape at all."""
    kind = item.get("object")
    if kind in ("page", "data_source") and notion_id(item.get("id")) is None:
        with pytest.raises(AnswerUnusable):
            (page_ref if kind == "page" else data_source_ref)(item)
        return [], ""
    if kind == "page":
        return list(segments(item.get("properties"))), indexed(page_ref(item))
    if kind == "data_source":
        return list(segments(item.get("title"))), data_source_ref(item).title
    if kind == "comment":
        return list(segments(item.get("rich_text"))), read_comment(item)
    if kind == "user":
        return [], read_user(item)
    return list(segments(item)), normalise(render("root", lambda _: [item] if _ == "root" else []).markdown).text


ODD = st.sampled_from([None, "", "odd", 7, -0.5, True, [], {}, [None], {"type": None}, [["odd"]]])


@st.composite
def damaged(draw: st.DrawFn) -> Json:
    """A recorded object in which values are missing or are something else."""
    item = copy.deepcopy(draw(st.sampled_from(originals())))
    for _ in range(draw(st.integers(1, 3))):
        *way, last = draw(st.sampled_from([path for path in places(item) if path != ("object",)] or [("object",)]))
        holder: Any = item
        for key in way:
            holder = holder[key]
        if draw(st.booleans()) and isinstance(holder, dict):
            del holder[last]
        else:
            holder[last] = copy.deepcopy(draw(ODD))
    return item


needs_recordings = pytest.mark.skipif(
    not RECORDINGS, reason="shared/data is not beside the repository: NOTHING was compared with the real API."
)


@pytest.mark.slow
@needs_recordings
@settings(max_examples=400, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_a_damaged_object_is_read_without_an_error_and_keeps_its_text(data: st.DataObject) -> None:
    item = data.draw(damaged())
    shown, got = look(item)
    trashed = item.get("in_trash") is True or item.get("archived") is True
    lost = [word for text in shown for word in words(text) if word not in got]
    assert trashed or not lost


def _renamed(item: Json, name: str) -> Json:
    """The same content as a type that does not exist yet."""
    return {name if key == item["type"] else key: value for key, value in item.items()} | {"type": name}


@pytest.mark.parametrize("kind", samples("BLOCK"))
def test_a_block_of_a_type_to_come_keeps_its_text(kind: str) -> None:
    block = _renamed({"object": "block", "id": "b", "type": kind, **samples("BLOCK")[kind]}, "hologram")
    assert not words(" ".join(shown_by_block(block))) - words(read_blocks([block]))


@pytest.mark.parametrize("kind", samples("PROP"))
def test_a_property_of_a_type_to_come_keeps_its_text(kind: str) -> None:
    value = _renamed(samples("PROP")[kind], "hologram")
    got = indexed(page_ref({"object": "page", "id": NOBODY, "properties": {"Cell": value}}))
    assert not words(" ".join(plain_texts(value))) - words(got)
