"""The queue of topics as a page: what people see of it, and their word on it, without JavaScript."""

from __future__ import annotations

import re
from uuid import UUID

import pytest

from arcana_pipelines.workspaces import workspaces
from arcana_pipelines_tests.topics import give_topic, release
from arcana_pipelines_tests.web.conftest import Api
from arcana_pipelines_tests.web.people.conftest import Visit, Visitor, seen

PATHS = ("People/Time off", "People/Pay")


def make_queue(api: Api) -> dict[str, UUID]:
    """Topics of acme, of which one waits for each page, and another one for the Korean page."""
    with api.acme.database.connection() as connection:
        acme = workspaces.find(connection, "acme").workspace_id
        nodes = release(connection, acme, PATHS)
        give_topic(connection, acme, "Vacation policy", nodes["People/Time off"], waits=True)
        give_topic(connection, acme, "휴가 규정", nodes["People/Time off"], nodes["People/Pay"], waits=True)
        with connection.transaction():
            connection.execute(
                "UPDATE doc_taxonomy SET origin = 'nearest', confidence = CASE node_id WHEN %s THEN 0.8 ELSE 0.4 END",
                [nodes["People/Time off"]],
            )
    return nodes


@pytest.fixture
def nodes(api: Api) -> dict[str, UUID]:
    return make_queue(api)


@pytest.fixture
def reviewer(api: Api, nodes: dict[str, UUID], visit: Visit) -> Visitor:
    visitor = visit(api)
    visitor.log_in(api.key("search", "read", "review").key)
    return visitor


def topics(api: Api) -> list[tuple[str, str]]:
    """What documents are about."""
    return [
        (str(title), str(path))
        for title, path in api.acme.rows(
            "SELECT p.title, array_to_string(t.path, '/') FROM doc_taxonomy t JOIN source_page p "
            "ON p.document_id = t.doc_id WHERE NOT t.hitl_required ORDER BY 1"
        )
    ]


class TestTheQueue:
    def test_is_led_to_by_the_menu_of_who_reviews_and_of_nobody_else(self, api: Api, reviewer: Visitor) -> None:
        assert 'href="/review"' in reviewer.get("/").text
        reviewer.log_in(api.key("search", "read", "admin").key)
        assert 'href="/review"' not in reviewer.get("/").text
        assert "This key reviews no topics" in seen(reviewer.get("/review").text)

    def test_shows_documents_with_what_is_suggested_why_and_how_surely(self, reviewer: Visitor) -> None:
        answer = reviewer.get("/review")
        said = seen(answer.text)
        assert "2 documents wait" in said and "Vacation policy" in said and "휴가 규정" in said
        assert "Suggested topic: People › Time off" in said and "Nearest in meaning Confidence 80%" in said
        assert "Or rather:" in said and "People › Pay" in said
        assert re.search(r'href="/document\?workspace=acme&amp;id=[0-9a-f-]{36}"', answer.text)
        assert "<script" not in answer.text.replace('<script src="/assets/page.js" defer></script>', "")

    def test_is_in_the_language_of_the_page(self, api: Api, reviewer: Visitor, nodes: dict[str, UUID]) -> None:
        said = seen(reviewer.get("/review", lang="ko").text)
        assert "문서 2개가 기다립니다" in said and "승인" in said and "의미가 가장 가까움" in said

    def test_can_be_of_what_is_below_a_topic(self, reviewer: Visitor) -> None:
        assert "Nothing waits for you" in seen(reviewer.get("/review", topic="People/Pay").text)
        unknown = reviewer.get("/review", topic="People/Time of")
        assert unknown.status_code == 404 and "did you mean 'People/Time off'" in seen(unknown.text)
        korean = seen(reviewer.get("/review", topic="People/Time of", lang="ko").text)
        assert "‘People/Time of’ 주제가 없습니다. 비슷한 것: 'People/Time off'" in korean

    def test_of_another_company_is_not_there(self, api: Api, nodes: dict[str, UUID], visit: Visit) -> None:
        visitor = visit(api)
        visitor.log_in(api.key("review", slug="globex").key)
        assert "This key reviews no topics" in seen(visitor.get("/review", workspace="acme").text)


class TestAWord:
    def test_accepts_what_is_suggested_and_leads_back_to_the_queue(self, api: Api, reviewer: Visitor) -> None:
        answer = reviewer.send("/review", reviewer.get("/review"), decision="accept")
        assert answer.status_code == 303
        back = seen(reviewer.get(answer.headers["location"]).text)
        assert "Accepted." in back and "1 document waits" in back
        ((_, path),) = topics(api)
        assert path == "People/Time off"

    def test_rejects_or_takes_another_topic(self, api: Api, reviewer: Visitor, nodes: dict[str, UUID]) -> None:
        shown = reviewer.get("/review")
        assert "Rejected." in seen(
            reviewer.get(reviewer.send("/review", shown, decision="reject").headers["location"]).text
        )  # fmt: skip
        assert topics(api) == []
        answer = reviewer.send("/review", reviewer.get("/review"), decision="instead", instead="People › Pay")
        assert "The other topic was taken." in seen(reviewer.get(answer.headers["location"]).text)
        ((_, path),) = topics(api)
        assert path == "People/Pay"

    def test_that_names_no_topic_is_told_with_those_that_may_be_meant(self, api: Api, reviewer: Visitor) -> None:
        answer = reviewer.send("/review", reviewer.get("/review"), decision="instead", instead="People/Pai")
        assert answer.status_code == 404 and "did you mean 'People/Pay'" in seen(answer.text)
        assert "2 documents wait" in seen(answer.text) and topics(api) == []

    def test_of_whoever_is_second_says_who_was_first(self, api: Api, reviewer: Visitor, visit: Visit) -> None:
        late = visit(api)
        late.log_in(api.key("review").key)
        shown = late.get("/review")
        reviewer.send("/review", reviewer.get("/review"), decision="accept")
        answer = late.send("/review", shown, decision="reject")
        assert answer.status_code == 409 and "has decided on this" in seen(answer.text)
        assert "1 document waits" in seen(answer.text)
        korean = late.client.post("/review?lang=ko", data=dict(form_of(shown.text), decision="reject"))
        assert "이미 승인했습니다" in seen(korean.text)

    def test_of_a_form_that_is_not_this_browser_s_counts_nothing(self, api: Api, reviewer: Visitor) -> None:
        answer = reviewer.send("/review", reviewer.get("/review"), decision="accept", form_token="x")
        assert answer.status_code == 403 and topics(api) == []


class TestTheSearch:
    def test_counts_topics_and_goes_below_one(self, api: Api, reviewer: Visitor, nodes: dict[str, UUID]) -> None:
        reviewer.send("/review", reviewer.get("/review"), decision="accept")
        answer = reviewer.get("/", query="vacation 휴가")
        assert "People 1" in seen(answer.text)
        below = reviewer.get("/", query="vacation 휴가", topic="People")
        said = seen(below.text)
        assert "All topics › People" in said and "Time off 1" in said and "1 page" in said
        nowhere = reviewer.get("/", query="vacation", topic="Peopel")
        assert nowhere.status_code == 404 and "did you mean 'People'" in seen(nowhere.text)

    def test_of_a_workspace_without_topics_names_none(self, api: Api, reader: Visitor) -> None:
        said = reader.get("/", query="vacation").text
        assert "Topics" not in seen(said) and 'name="topic"' not in said


def form_of(html: str) -> dict[str, str]:
    """The hidden fields of the first form of the queue."""
    form = re.search(r'<form method="post" action="/review".*?</form>', html, re.DOTALL)
    assert form is not None
    return dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', form[0]))
