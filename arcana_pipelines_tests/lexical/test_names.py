"""Names, codes, accents and pictures are found and marked however they are written, as they are written first."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arcana_pipelines.lexical import query_plan
from arcana_pipelines.lexical.analysis import LEVELS, numbers, query_terms, words_of
from arcana_pipelines.lexical.weights import Weights, chunk_weights
from arcana_pipelines.retrieval.highlights import highlights, marks_of


@pytest.mark.parametrize(
    ("text", "query"),
    [
        ("Köln", "koln"), ("Koln", "Köln"), ("café", "cafe"), ("Straße", "strasse"), ("Łódź", "lodz"),
        ("Tiếng Việt", "tieng viet"), ("Αθήνα", "αθηνα"), ("ёлка", "елка"), ("İstanbul", "istanbul"),
        ("Zürich에서", "zurich"), ("re\u0301sume\u0301", "résumé"), ("résumés", "resume"),
        ("launch 🚀 day", "🚀"), ("🇰🇷 office", "🇰🇷"), ("👍🏽", "👍"), ("👩‍💻", "👩‍💻"), ("❤️", "❤"),
        ("getUserName", "user name"), ("user name", "getUserName"), ("parseHTTPResponse", "http response"),
        ("HTTPSConnections", "connection"), ("StreamingResponse를", "streaming"), ("getUser\u200bName", "name"),
        ("HR-450", "hr-450"), ("HR-450", "HR450"), ("HR450", "HR-450"), ("HR 450", "HR-450"), ("e-mail", "emails"),
        ("email", "e-mail"), ("APIs", "api"), ("two days", "day"), ("a day", "days"),
    ],
)  # fmt: skip
def test_a_text_is_found_and_marked(text: str, query: str) -> None:
    (weights,) = chunk_weights([("", (), text)])
    assert set(weights.terms.tolist()) & set(query_terms(query))
    assert highlights(text, marks_of(query))


@pytest.mark.parametrize("hidden", ["\xad", "\u200b", "\u2060"])
def test_a_word_with_something_unseen_inside_is_marked_whole(hidden: str) -> None:
    text = f"the emp{hidden}loyee left"
    assert highlights(text, marks_of("employee")) == [(4, 4 + len(f"emp{hidden}loyee"))]


@pytest.mark.parametrize(
    ("query", "best", "next_best"),
    [("Köln", "Köln", "Koln"), ("Koln", "Koln", "Köln"), ("café", "café", "cafe"), ("αθηνα", "αθηνα", "Αθήνα"),
     ("HR-450", "HR-450", "HR450"), ("getUserName", "getUserName", "user name")],
)  # fmt: skip
def test_what_is_written_as_it_was_asked_for_comes_first(query: str, best: str, next_best: str) -> None:
    found = [_score(query, text) for text in (best, next_best)]
    assert found[0] > found[1] > 0


@pytest.mark.parametrize(
    ("code", "sibling"),
    [("TG-23", "TG-21"), ("ERR_4012", "ERR_4013"), ("v2.3.1", "v2.3.0"), ("PM-SOP-07", "PM-SOP-08"),
     ("A/B-12", "A/B-13"), ("KR-2024-001", "KR-2024-002"), ("ISO 9001:2015", "ISO 14001:2015"), ("제3조", "제4조"),
     ("2층", "3층")],
)  # fmt: skip
def test_the_page_with_the_code_itself_comes_before_those_with_its_siblings(code: str, sibling: str) -> None:
    assert _score(code, f"the code {code} stands here") > _score(code, f"{sibling} {sibling} {sibling}")


@pytest.mark.parametrize("text", ["dQw4w9WgXcQ", "APIs", "FastAPI", "MySQL", "2FA", "HTTP", "Employee"])
def test_capitals_that_make_no_words_leave_a_name_whole(text: str) -> None:
    assert set(numbers(text)) == set(numbers(text.lower()))


def test_the_words_of_a_name_are_near_to_no_typing_error() -> None:
    assert words_of("getUserName") == {"getusername"}


@given(st.text(max_size=30))
def test_every_text_is_found_by_itself(text: str) -> None:
    (weights,) = chunk_weights([("", (), text)])
    indexed = {key // LEVELS for key in weights.keys.tolist()}
    assert all(set(term.parts) <= indexed for term in query_terms(text).values())


@pytest.mark.parametrize("text", ["a" * 100_000 + " getUserName", "aB" * 50_000, "e-" * 50_000 + "mail"])
def test_a_name_without_end_takes_no_square_of_time(text: str) -> None:
    started = time.process_time()
    assert list(query_terms(text))
    assert len(numbers(text)) > 1
    assert time.process_time() - started < 2


_SIBLINGS = (
    "TG-31 ERR_4014 v2.3.2 PM-SOP-09 A/B-14 KR-2024-003 ISO 27001:2022 제5조 4층",
    "TG-40 ERR_4015 v2.3.3 PM-SOP-10 A/B-15 KR-2024-004 ISO 27002:2022 제6조 5층",
)


def _score(query: str, text: str) -> float:
    """What a text scores beside others of the same words."""
    others = [
        "Köln koln café cafe Αθήνα αθηνα HR-450 HR450 getUserName user name",
        *_SIBLINGS,
        *["something else"] * 20,
    ]
    chunks: list[Weights] = chunk_weights([("", (), each) for each in (text, *others)])
    counts: dict[int, int] = {}
    for chunk in chunks:
        for key in chunk.keys.tolist():
            counts[key] = counts.get(key, 0) + 1
    plan = query_plan.plan(query_terms(query), len(chunks), counts)
    assert plan is not None
    weights = dict(zip(chunks[0].terms.tolist(), chunks[0].weights.tolist(), strict=True))
    return sum(plan.gains.get(term, 0.0) * weight for term, weight in weights.items())
