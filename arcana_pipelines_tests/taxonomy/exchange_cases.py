"""Trees for the tests of the exchange: by hand, and of Hypothesis."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hypothesis import strategies as st

from arcana_pipelines.taxonomy.exchange.rows import Imported
from arcana_pipelines.taxonomy.tree import GivenNode, Node, make_tree, read_path

HARD = [
    GivenNode(("AI",), definition="Artificial intelligence\n인공지능", labels={"ko": "인공지능", "pt-BR": "IA"}),
    GivenNode(("AI", 'RAG "검색 증강"'), synonyms=("검색, 생성", "a | b", "c\\", "; semicolon"), external_ref="page-1"),
    GivenNode(("AI", "TCP/IP"), definition='=HYPERLINK("http://evil.example")', confidence=0.25),
    GivenNode(("AI", "C:\\temp > x"), labels={"ko": "@멘션"}, external_ref="https://example.org/c/1"),
    GivenNode(("-1 °C 보관",), synonyms=("'=x", "+82")),
    GivenNode(("'quoted",), definition="'' and <b>&amp;</b> \t tab"),
]


def tree(*paths: str, **more: Any) -> list[Node]:
    """The nodes of a first version: of paths, the last one with what else is said."""
    given = [GivenNode(read_path(path)) for path in paths[:-1]]
    return make_tree([*given, GivenNode(read_path(paths[-1]), **more)], []).nodes


def imported(read: Imported, before: Sequence[Node]) -> list[Node]:
    """What a draft of it is; that it changes nothing, loses nothing and says nothing was seen to."""
    draft = make_tree(read.nodes, before)
    assert (draft.changes, draft.missing, draft.notes, read.remarks) == ([], [], [], ())
    return draft.nodes


_CHARACTERS = st.sampled_from("ab가나다힣é\"',;|\\/=+-@>#\t \n:.<&")
_TEXT = st.text(_CHARACTERS | st.characters(exclude_categories=("C", "Z")), min_size=1, max_size=12)
_LABEL = _TEXT.map(lambda text: " ".join(text.split())).filter(bool)
_LANGUAGES = st.sampled_from(["ko", "en", "pt-BR", "zh-Hant"])


@st.composite
def trees(draw: st.DrawFn) -> list[Node]:
    """Nodes of a version with everything that a node may say."""
    paths: list[tuple[str, ...]] = []
    for _ in range(draw(st.integers(1, 8))):
        above = draw(st.sampled_from([(), *paths]))
        path = (*above, draw(_LABEL))
        if path not in paths and len(path) <= 16:
            paths.append(path)
    return make_tree(
        [
            GivenNode(
                path,
                definition=draw(st.none() | _TEXT),
                synonyms=tuple(draw(st.lists(_LABEL, max_size=3))),
                labels=draw(st.dictionaries(_LANGUAGES, _LABEL, max_size=2)),
                external_ref=draw(st.none() | st.just(f"{draw(_LABEL)} {number}")),
                confidence=draw(st.sampled_from([1.0, 1.0, 0.5, 0.1])),
            )
            for number, path in enumerate(paths)
        ],
        [],
    ).nodes
