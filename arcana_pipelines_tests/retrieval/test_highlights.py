"""Words are marked where they stand; looking piece by piece finds what reading the whole text does."""

from __future__ import annotations

from collections.abc import Set

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arcana_pipelines.lexical.analysis import numbers
from arcana_pipelines.lexical.concepts import translations
from arcana_pipelines.lexical.korean_marks import is_counted
from arcana_pipelines.retrieval.codes import MOST_CODES
from arcana_pipelines.retrieval.highlights import _RUN, Marks, _spans, highlights, marks_of, terms_in, terms_of

WORDS = ("leave", "Leave", "leaves", "sick-leave", "C++", ".NET", "--flag", "@kim", "연차휴가를", "휴가", "3-4",
         "a-b", "b", "두", "달을", "🎉", "don't", "leave,", "(leave)", "leave.leave", "café", "cafe\u0301", "휴가leave",
         "x" * 60 + "leave")  # fmt: skip
BLANKS = (" ", "  ", "\n", "\t", "\u00a0", "\u3000", "\u2028", "\x1c")
texts = st.lists(st.tuples(st.sampled_from(WORDS), st.sampled_from((*BLANKS, ""))), max_size=12).map(
    lambda parts: "".join(word + blank for word, blank in parts)
)


def read_whole(text: str, terms: Set[int]) -> list[tuple[int, int]]:
    spans: list[tuple[int, int]] = []
    for run in _RUN.finditer(text):
        for begin, end, may_count in _spans(run.group(), terms):
            span = (run.start() + begin, run.start() + end)
            if may_count and is_counted(text, span[0]):
                continue
            if spans and spans[-1][1] >= span[0]:
                spans[-1] = (spans[-1][0], span[1])
            else:
                spans.append(span)
    return spans


@given(texts, st.sampled_from(("leave", "휴가", "C++ leave", ".NET b", "cafe 휴가", "🎉 kim", "달은")))
def test_pieces_are_marked_as_the_whole_text_is(text: str, question: str) -> None:
    marks, terms = marks_of(question), terms_of(question)
    assert highlights(text, marks) == read_whole(text, marks.words)
    in_it = {number for run in _RUN.finditer(text) for number in numbers(run.group())}
    assert terms_in(text, terms) == in_it & terms


def test_a_word_is_marked_as_often_as_it_stands() -> None:
    text = "Leave: ask for leave before leaves fall. 연차휴가를 쓰면 휴가가 준다."
    assert [text[begin:end] for begin, end in highlights(text, marks_of("leave 휴가"))] == [
        "Leave", "leave", "leaves", "연차휴가", "휴가"
    ]  # fmt: skip


@pytest.mark.parametrize("question", ["what is the", "How do I?", "어떻게 하나요", "the"])
def test_nothing_is_marked_where_no_word_says_what_is_asked_for(question: str) -> None:
    assert marks_of(question) == Marks()
    assert marks_of(f"{question} 휴가 leave") == marks_of("휴가 leave")


@pytest.mark.parametrize(
    ("question", "text", "marked"),
    [
        ("네 살짜리 아이는 토요일에 얼마예요?", "토요일 네 시에 아이를 데려온다", "«토요일» 네 시에 «아이»를 데려온다"),
        ("어린이는 얼마예요?", "어린이 셋, 어린이집", "«어린이» 셋, «어린이집»"),
        ("회의에 몇 명까지 부르나요?", "회의실은 6명까지, 명까지", "«회의실»은 6명까지, 명까지"),
        ("유리 통로를 닦을 때", "통로로 와서 닦는다. 한 통, 닦지 않은", "«통로»로 와서 «닦는다». 한 통, «닦지» 않은"),
        ("달은 언제 뜨나요?", "달라고 하면 두 달 뒤에 달이 뜬다", "달라고 하면 두 달 뒤에 «달»이 뜬다"),
        ("안 품는 알은?", "모래 한 알이 알을 긁는다. 안에 알려 준다", "모래 한 알이 «알»을 긁는다. 안에 알려 준다"),
        (
            "다시 들어와도 되나요?",
            "다시마와 들어오는 사람, 들어가지 않는다",
            "다시마와 «들어오는» 사람, 들어가지 않는다",
        ),
        ("할인은 있나요?", "할인된다. 할 때 있다", "«할인»된다. 할 때 있다"),
        ("먹은 것", "먹는 사람", "«먹는» 사람"),
        ("연차는 며칠인가요?", "연차휴가를 쓴다", "«연차휴가»를 쓴다"),
        ("20일에 iPad에서", "20일까지 iPad로", "«20일»까지 «iPad»로"),
        ("연차 휴가", "연차휴가", "«연차휴가»"),
    ],
)
def test_a_korean_mark_is_a_word_and_never_a_part_of_another(question: str, text: str, marked: str) -> None:
    assert told(text, question) == marked


@pytest.mark.parametrize(
    ("question", "text", "marked"),
    [
        ("TG-23", "TG-21, TG-23, TG-231, TG23, tg 23; gate 23", "TG-21, «TG-23», TG-231, «TG23», «tg 23»; gate 23"),
        ("TG-23이 뜨면?", "TG-23이면 끈다. TG-31과 TG-23/TG-40", "«TG-23»이면 끈다. TG-31과 «TG-23»/TG-40"),
        ("ERR_4012", "ERR_4012, ERR_4013, 4012", "«ERR_4012», ERR_4013, 4012"),
        ("v2.3.1", "v2.3.0 and v2.3.1. (v2.3.1-rc1)", "v2.3.0 and «v2.3.1». («v2.3.1»-rc1)"),
        ("PM-SOP-07", "PM-SOP-07, PM-SOP-071, PM-SOP-07-2, XPM-SOP-07",
         "«PM-SOP-07», PM-SOP-071, PM-SOP-07-2, XPM-SOP-07"),
        ("A/B-12", "A/B-12, A/B-13, A/C-12", "«A/B-12», A/B-13, A/C-12"),
        ("KR-2024-001", "KR-2024-001 KR-2024-002 JP-2024-001", "«KR-2024-001» KR-2024-002 JP-2024-001"),
        ("9001:2015", "ISO 9001:2015, ISO 14001:2015", "ISO «9001:2015», ISO 14001:2015"),
        ("ISO 9001:2015", "ISO 9001:2015, ISO 14001:2015; 9001:2015", "«ISO 9001:2015», ISO 14001:2015; «9001:2015»"),
        ("RFC 2119를 따르나요", "RFC 2119, RFC 8174, RFC 21190", "«RFC 2119», RFC 8174, RFC 21190"),
        ("HR 2026", "HR in 2026", "«HR» in «2026»"),
        ("config.yaml", "config.yaml, settings.yaml", "«config.yaml», settings.yaml"),
        ("R&D", "R&D, R and D", "«R&D», R and D"),
        ("1,500원", "1,500원, 2,500원, 1,500,000원", "«1,500»원, 2,500원, 1,500,000원"),
        ("제3조", "제3조에서, 제13조, 제4조, 제3조의2", "«제3조»에서, 제13조, 제4조, 제3조의2"),
        ("제3조의2", "제3조, 제3조의2", "제3조, «제3조의2»"),
        ("2층에 있나요?", "2층의, 12층, 3층, 2명, 2.2층", "«2층»의, 12층, 3층, 2명, 2.2층"),
        ("20일", "20일까지, 20명, 20 days", "«20일»까지, 20명, «20» days"),
    ],
)  # fmt: skip
def test_a_code_or_a_counted_number_is_marked_whole_and_none_of_its_siblings(
    question: str, text: str, marked: str
) -> None:
    assert told(text, question) == marked


def test_a_question_of_nothing_but_codes_has_so_many_and_the_rest_are_words() -> None:
    question = " ".join(f"TG-{number}" for number in range(800))
    assert len(marks_of(question).codes) == MOST_CODES
    assert told("TG-1 TG-799", question) == "«TG-1» «TG-799»"


@pytest.mark.parametrize(
    ("question", "text", "marked"),
    [
        ("sick-leave", "sick leave", "«sick» «leave»"),
        ("TG gate", "TG-23", "«TG-23»"),
        ("iso 9001", "ISO 9001:2015", "«ISO» «9001»:2015"),
        ("20", "20일까지", "«20»일까지"),
    ],
)
def test_words_and_numbers_that_stand_by_themselves_are_marked_in_codes_too(
    question: str, text: str, marked: str
) -> None:
    assert told(text, question) == marked


@pytest.mark.parametrize(
    ("question", "text", "marked"),
    [
        ("days", "a day", "a «day»"),
        ("vacation", "vacations", "«vacations»"),
        ("deploying", "deploy the deployment", "«deploy» the «deployment»"),
        ("policies", "the policy", "the «policy»"),
        ("running", "run", "«run»"),
        ("lining", "Line C has a lining, linings", "Line C has a «lining», «linings»"),
        ("line", "lines and lining", "«lines» and lining"),
        ("office", "the officer in our offices", "the officer in our «offices»"),
        ("robot arm", "two arms", "two «arms»"),
        ("who has the authority", "authorized by the author", "«authorized» by the author"),
        ("what does it mean", "it means this", "it «means» this"),
        ("build", "the building was built by builds", "the building was built by «builds»"),
        ("who is responsible", "responsibility; response", "«responsibility»; response"),
        ("travel allowance", "allowances are allowed", "«allowances» are allowed"),
    ],
)
def test_another_form_of_an_english_word_is_marked_and_not_another_word(question: str, text: str, marked: str) -> None:
    assert told(text, question) == marked


def test_no_word_of_the_other_language_is_marked_for_another_one_of_the_same_stem() -> None:
    assert translations("the line") == ["줄"]
    assert translations("the lining") == []
    assert translations("the brake lining") == ["브레이크", "제동"]


def told(text: str, question: str) -> str:
    """The text with what is marked between signs."""
    shown, end = "", 0
    for begin, behind in highlights(text, marks_of(question)):
        shown += f"{text[end:begin]}«{text[begin:behind]}»"
        end = behind
    return shown + text[end:]


def test_a_code_that_a_question_has_several_times_is_looked_for_once() -> None:
    assert marks_of("1층 TG-23 " * 9) == marks_of("1층 TG-23")
