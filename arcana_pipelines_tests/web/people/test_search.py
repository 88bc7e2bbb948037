"""Searching on the page without JavaScript: what is found, what is not, and what goes wrong, in words."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any
from uuid import uuid4

import pytest

from arcana_pipelines.errors import DatabaseUnreachable, EmbeddingFailed
from arcana_pipelines.keys import keys
from arcana_pipelines.keys.access import Allowance, Permission
from arcana_pipelines.keys.usage import searches_of_family
from arcana_pipelines.retrieval.filters import Filters
from arcana_pipelines.retrieval.query_embedders import QueryEmbedders
from arcana_pipelines.retrieval.results import Hit, Place, Results
from arcana_pipelines.retrieval.whole_document import Document, find_document
from arcana_pipelines.web.people import languages, rendering
from arcana_pipelines.web.people.asked import Asked
from arcana_pipelines.web.people.languages import TEXTS, Words, accepted
from arcana_pipelines.web.searches import Searches
from arcana_pipelines.workspaces import workspaces
from arcana_pipelines_tests.harness import Harness
from arcana_pipelines_tests.web.conftest import SALT, Api, served
from arcana_pipelines_tests.web.people.conftest import Visit, Visitor, seen

POLICY = ("default-src 'none'", "script-src 'self'", "style-src 'self'", "form-action 'self'", "base-uri 'none'",
          "frame-ancestors 'none'")  # fmt: skip


def key_of(api: Api, *granted: tuple[Any, Filters | None], allowance: Allowance = Allowance()) -> str:  # noqa: B008
    """A key of Acme's company in its workspace."""
    with api.acme.database.connection() as connection:
        acme = workspaces.find(connection, "acme")
        permissions = [Permission(scope, acme.workspace_id, None, filters) for scope, filters in granted]
        return keys.create(connection, SALT, acme.company_id, permissions, "test", allowance=allowance).key


class TestAnAnswer:
    def test_has_marked_passages_links_and_versions(self, reader: Visitor) -> None:
        answer = reader.get("/", query="vacation days")
        assert answer.status_code == 200 and "Everyone has 30" in seen(answer.text)
        assert "<mark>" in answer.text and "Vacation policy" in answer.text
        assert re.search(r'<a href="https://[^"]+">Open in Notion', answer.text)
        (path, *_) = re.findall(r'<h3><a href="(/document[^"]+)"', answer.text)
        document = reader.get(path.replace("&amp;", "&"))
        assert document.status_code == 200 and "served now" in seen(document.text)
        assert "Back to the results" in seen(document.text)

    @pytest.mark.parametrize(("language", "version"), [("en", "Version"), ("ko", "버전")])
    def test_tells_a_version_from_the_second_on(self, api: Api, reader: Visitor, language: str, version: str) -> None:
        assert f"{version} 1" not in seen(reader.get("/", query="vacation days", lang=language).text)
        page = next(page for page, text in api.acme.published().items() if "Everyone has 30 days" in text)
        api.acme.world.edit_page(page, blocks="Everyone has 31 days of vacation a year.")
        api.acme.settle()
        api.acme.sync()
        assert f"{version} 2" in seen(reader.get("/", query="vacation days", lang=language).text)

    def test_leads_to_a_document_with_headings_tables_lists_quotes_and_code(
        self, reader: Visitor, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        table = "| Office | Days |\n| --- | --- |\n| Seoul \\| 서울 | <b>18</b> |"
        lists = "1. one\n1. <b>two\n   lines\n  - below\n    3. deep\n- [x] bought\n- [ ] sold\n7. seven"
        text = f"## Days <i>\n\n{table}\n\n{lists}\n\n> said <i>\n> twice\n\n---\n\n```\n| x |\n```"

        def found(*arguments: Any, **options: Any) -> Document:
            return replace(find_document(*arguments, **options), text=text)

        monkeypatch.setattr("arcana_pipelines.web.people.page.find_document", found)
        answer = reader.get("/document", workspace="acme", id="Vacation policy")
        assert '<h3 dir="auto">Days &lt;i&gt;</h3>' in answer.text and answer.text.count("<table") == 1
        assert '<th scope="col">Office</th>' in answer.text and "<td>Seoul | 서울</td>" in answer.text
        assert "<td>&lt;b&gt;18&lt;/b&gt;</td>" in answer.text
        whole = re.sub(r"\s*\n\s*|<span class=.text.>|</span>", "", answer.text)
        assert '<ol dir="auto"><li>one</li><li>&lt;b&gt;twolines<ul dir="auto"><li>below<ol dir="auto">' in whole
        assert '<li value="3">deep</li></ol></li></ul></li></ol><ul dir="auto"><li class="task">' in whole
        assert "☑" in whole and "☐" in whole and '</ul><ol dir="auto"><li value="7">seven</li></ol>' in whole
        assert '<blockquote class="text" dir="auto">said &lt;i&gt;twice</blockquote><hr>' in whole
        assert "<code>| x |</code>" in whole
        require_harmless(answer.text)

    def test_in_an_old_version_or_of_what_is_gone_says_so(self, api: Api, reader: Visitor) -> None:
        page = next(page for page, text in api.acme.published().items() if "Everyone has 30 days" in text)
        api.acme.world.edit_page(page, blocks="Everyone has 31 days of vacation a year.")
        api.acme.settle()
        api.acme.sync()
        old = seen(reader.get("/document", workspace="acme", id=page, version="1").text)
        assert "You are reading version 1" in old and "The newest is version 2. Read that" in old
        newest = seen(reader.get("/document", workspace="acme", id=page).text)
        assert "You are reading" not in newest and "was removed" not in newest and "31 days" in newest
        api.acme.world.trash(page)
        api.acme.settle()
        api.acme.sync()
        gone = seen(reader.get("/document", workspace="acme", id=page, version="1").text)
        assert "You are reading version 1" in gone and "This document was removed: it was served until" in gone

    def test_folds_what_is_far_behind_and_says_where_nothing_is_certain(
        self, reader: Visitor, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def shown(*scores: float, **asked: str) -> tuple[str, str]:
            hits = [Hit(score, str(uuid4()), "x", "page", f"Page {score}", None, None, "a", [], 0, "text", 1, None)
                    for score in scores]  # fmt: skip
            monkeypatch.setattr(Searches, "search", lambda *_: Results(hits, 0.1))
            before, _, folded = reader.get("/", query="vacation", **asked).text.partition('<details class="less">')
            return seen(before), seen(folded)

        before, folded = shown(0.9, 0.3, 0.2, 0.1)
        assert "2 pages" in before and "Page 0.3" in before and "Page 0.2" not in before
        assert folded.startswith("Less likely: 2 pages") and "Page 0.1" in folded
        assert "not certain" not in before and "not certain" in shown(0.39, 0.3)[0]
        assert "확실하지 않습니다" in shown(0.39, 0.3, lang="ko")[0]
        assert shown(-1.0, -9.0)[1] == "", "scores of a reranker have no scale"

    def test_names_the_file_of_a_hit_without_an_address(self, reader: Visitor, monkeypatch: pytest.MonkeyPatch) -> None:
        hits = [
            Hit(0.9, str(uuid4()), "x", "page", "Page", url, url, "a", [], 0, "text", 1, None, source_path="운영/a.md")
            for url in (None, "https://x.example/a")
        ]
        monkeypatch.setattr(Searches, "search", lambda *_: Results(hits, 0.1))
        assert seen(reader.get("/", query="vacation").text).count("운영/a.md") == 1

    def test_is_in_the_language_of_the_browser_and_in_the_one_that_was_chosen(self, api: Api, visit: Visit) -> None:
        visitor = visit(api, language="ko-KR,ko;q=0.9,en;q=0.8")
        assert '<html lang="ko">' in visitor.get("/log-in").text
        visitor.log_in(api.key("search").key)
        answer = visitor.get("/", query="휴가는 며칠인가요")
        assert "검색 결과" in seen(answer.text) and "휴가 30일" in seen(answer.text)
        assert '<blockquote class="text" lang="ko"' in answer.text
        english = re.search(r'<a href="([^"]+)" lang="en"', answer.text)
        assert english is not None
        there = visitor.get(english[1].replace("&amp;", "&"))
        assert '<html lang="en">' in there.text and "휴가 30일" in seen(there.text)
        assert '<html lang="en">' in visitor.get("/", query="vacation").text

    def test_goes_on_behind_a_cursor(self, api: Api, reader: Visitor) -> None:
        for number in range(12):
            api.acme.world.add_page(f"Vacation of team {number}", blocks=f"Vacation of team number {number}.")
        api.acme.settle()
        api.acme.sync()
        first = reader.get("/", query="vacation team")
        more = re.search(r'class="button" href="([^"]+)"', first.text)
        assert more is not None and first.text.count('class="hit"') == 10
        assert 'class="hit"' in reader.get(more[1].replace("&amp;", "&")).text

    def test_filters_hold(self, reader: Visitor) -> None:
        assert "Vacation policy" in reader.get("/", query="vacation", kind="page").text
        assert "Vacation policy" not in reader.get("/", query="vacation", kind="row").text
        assert "Vacation policy" not in reader.get("/", query="vacation", since="2099-01-01").text
        below = reader.get("/", query="vacation", below="nowhere", lang="ko")
        assert (
            below.status_code == 422
            and "이대로는 검색할 수 없습니다" in below.text
            and "‘nowhere’ 페이지가 없습니다" in below.text
        )
        for wrong in ({"since": "soon"}, {"where": "x"}, {"kind": "cat"}, {"after": "x"}, {"query": "a" * 4001},
                      {"below": "\0"}):  # fmt: skip
            answer = reader.get("/", **{"query": "vacation", **wrong})
            assert answer.status_code == 422 and 'role="alert"' in answer.text, wrong

    def test_of_nothing_says_so_in_both_languages(self, api: Api, reader: Visitor, visit: Visit) -> None:
        for language, nothing in (("en", "Nothing"), ("ko", "없")):
            assert nothing in seen(reader.get("/", query="zzqqxx", lang=language, kind="row").text)
        Harness.register(api.acme.database, api.acme.world, api.acme.server, "empty")
        visitor = visit(api)
        visitor.log_in(api.key("search", slug="empty").key)
        assert "Nothing is indexed here yet" in seen(visitor.get("/", query="vacation").text)
        assert "아직 색인된 것이 없습니다" in seen(visitor.get("/", query="vacation", lang="ko").text)


class TestTheKey:
    def test_its_scopes_decide(self, api: Api, visitor: Visitor) -> None:
        visitor.log_in(key_of(api, ("read", None)))
        assert "opens no workspace for searching" in seen(visitor.get("/", query="vacation").text)
        visitor.log_in(key_of(api, ("search", None)))
        answer = visitor.get("/", query="vacation")
        assert "Vacation policy" in answer.text and "/document" not in answer.text
        assert visitor.get("/document", workspace="acme", id="Vacation policy").status_code == 403
        assert "scope read" in seen(visitor.get("/state").text)

    def test_its_filters_and_its_company_hold(self, api: Api, visitor: Visitor) -> None:
        visitor.log_in(key_of(api, ("search", Filters(kinds=("row",)))))
        assert "Vacation policy" not in visitor.get("/", query="vacation").text
        for slug in ("globex", "nowhere", "acme.other", "a\0b"):
            assert visitor.get("/", query="vacation", workspace=slug).status_code == 404
            assert visitor.get("/document", workspace=slug, id="Vacation policy").status_code in (403, 404)
        assert "globex" not in visitor.get("/state").text

    def test_its_rate_and_its_quota_are_those_of_the_api(self, api: Api, visitor: Visitor) -> None:
        key = key_of(api, ("search", None), allowance=Allowance(requests_per_minute=8, searches_per_month=2))
        visitor.log_in(key)
        assert visitor.get("/", query="vacation").status_code == 200
        with api.with_key(key) as client:
            assert client.get("/v1/workspaces/acme/search?query=vacation").status_code == 200
            refused = visitor.get("/", query="vacation", lang="ko")
            assert refused.status_code == 429 and "이번 달 검색 횟수" in refused.text
            while client.get("/v1/workspaces").status_code == 200:
                pass
        limited = visitor.get("/")
        assert (
            limited.status_code == 429 and "요청이 너무 많습니다" in limited.text and "retry-after" in limited.headers
        )

    def test_its_use_is_written_down_as_searches_that_were_made(self, companies: Harness, visit: Visit) -> None:
        with served(companies) as api:
            made = api.key("search")
            visitor = visit(api)
            visitor.log_in(made.key)
            visitor.get("/", query="vacation")
            visitor.get("/")
        noted = companies.rows("SELECT action, route, hits > 0 FROM api_usage_logs WHERE key_id = %s", made.key_id)
        assert sorted(noted, key=str) == sorted(
            [("other", "/log-in", None), ("other", "/", None), ("other", "/", None), ("search", "/", True)], key=str
        )
        with companies.database.connection() as connection:
            month = connection.execute("SELECT date_trunc('month', now())").fetchone()
            assert month is not None and searches_of_family(connection, made.key_id, month[0]) == ([made.key_id], 1)

    def test_of_several_workspaces_gives_a_choice(self, api: Api, visitor: Visitor) -> None:
        harness = Harness.register(api.acme.database, api.acme.world, api.acme.server, "second")
        harness.sync()
        with api.acme.database.connection() as connection:
            acme = workspaces.find(connection, "acme")
            made = keys.create(connection, SALT, acme.company_id, [Permission("search", None, None)], "test")
        visitor.log_in(made.key)
        answer = visitor.get("/", query="vacation", workspace="second")
        assert '<option value="second" selected>' in answer.text and '<option value="acme">' in answer.text
        assert "Vacation policy" in answer.text and "globex" not in answer.text


CANARY = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>&lt;b&gt;{{1234567*3}}\u202e"


class TestHostileTexts:
    def test_from_pages_names_and_queries_are_texts(self, api: Api, visitor: Visitor) -> None:
        api.acme.world.add_page(f"Holiday {CANARY}", blocks=f"Holiday {CANARY} for everyone, says {CANARY}.")
        api.acme.settle()
        api.acme.sync()
        with api.acme.database.connection() as connection:
            connection.execute("UPDATE workspace SET name = %s WHERE slug = 'acme'", [f"Acme {CANARY}"])
        second = Harness.register(api.acme.database, api.acme.world, api.acme.server, "second")
        with api.acme.database.connection() as connection:
            acme = workspaces.find(connection, "acme")
            granted = [Permission(scope, None, None) for scope in ("search", "read", "admin")]
            made = keys.create(connection, SALT, acme.company_id, granted, CANARY.replace("\u202e", ""))
        visitor.log_in(made.key)
        found = visitor.get("/", query=f"holiday everyone {CANARY}", below=CANARY)
        pages = [found, visitor.get("/", query=f"holiday everyone {CANARY}"), visitor.get("/state"),
                 visitor.get("/document", workspace="acme", id=f"Holiday {CANARY}".replace("\u202e", "")),
                 visitor.get("/", workspace=CANARY, query=CANARY, kind=CANARY, since=CANARY, after=CANARY)]  # fmt: skip
        assert second.slug and "Holiday" in seen(pages[1].text)
        for page in pages:
            require_harmless(page.text)
            assert "\u202e" not in seen(page.text)

    def test_in_whatever_a_hit_may_hold_are_texts(self, reader: Visitor, monkeypatch: pytest.MonkeyPatch) -> None:
        addresses = (
            "javascript:alert(1)",
            "data:text/html,x",
            "java\nscript:x",
            'https://x.example/"onx="',
            "//x.example",
        )
        hits = [
            Hit(
                0.9, str(uuid4()), "x", "page", CANARY, address, address, "a", [CANARY, CANARY], 0, CANARY, 1,
                "2026-01-01T00:00:00Z", "acme", highlights=[(0, 8)], duplicates=[Place("x", CANARY, address)],
                source_path=CANARY,
            )
            for address in addresses
        ]  # fmt: skip
        results = Results(hits, 0.1, {CANARY: CANARY}, notes=[CANARY], repeated=hits, cursor=CANARY)
        monkeypatch.setattr(Searches, "search", lambda *_: results)
        answer = reader.get("/", query="vacation")
        assert answer.status_code == 200 and answer.text.count('class="hit"') == len(hits)
        require_harmless(answer.text)


class Marks(HTMLParser):
    """What a browser makes of a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.addresses: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        self.addresses += [value or "" for name, value in attrs if name in ("href", "src", "action", "formaction")]


def require_harmless(html: str) -> None:
    """Refuse a page on which a text has become more than that."""
    marks = Marks(html)
    assert html.count("<script") == html.count('<script src="/assets/page.js" defer></script>') == 1
    assert not marks.tags & {"style", "img", "b", "iframe", "base", "object", "embed", "svg"}
    assert not [name for name in marks.attributes if name.startswith("on") or name == "style"]
    assert marks.addresses and all(re.match(r"/(?!/)|https://|#", each) for each in marks.addresses), marks.addresses
    assert "3703701" not in html


class TestEveryAnswer:
    def test_lets_a_browser_run_and_load_nothing_of_others(self, api: Api, reader: Visitor, visit: Visit) -> None:
        stranger = visit(api)
        answers = [
            *(reader.client.get(path) for path in ("/", "/?query=vacation", "/state", "/document", "/log-in", "/link",
                                                   "/assets/page.css", "/assets/page.js", "/assets/icon.svg",
                                                   "/?query=" + "x" * 5000)),
            *(stranger.client.get(path) for path in ("/", "/state", "/document", "/log-in")),
            *(stranger.client.post(path) for path in ("/log-in", "/log-out", "/link", "/feedback")),
            stranger.client.post("/log-in", content=b"x" * 70_000),
        ]  # fmt: skip
        assert {answer.status_code for answer in answers} >= {200, 303, 401, 403, 404, 413, 422}
        for answer in answers:
            policy = answer.headers["content-security-policy"]
            assert all(part in policy for part in POLICY) and "unsafe" not in policy and "*" not in policy
            assert answer.headers["x-content-type-options"] == "nosniff"
            assert answer.headers["referrer-policy"] == "no-referrer"
            assert answer.headers["cache-control"] == "no-store"
            kind = answer.headers.get("content-type", "")
            assert answer.is_redirect or kind.startswith(("text/html", "text/css", "text/javascript", "image/svg"))
            assert not any(name.startswith("access-control") for name in answer.headers)

    def test_is_a_page_in_words_while_the_database_is_away(
        self, api: Api, reader: Visitor, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def away(*_: object, **__: object) -> None:
            raise DatabaseUnreachable("postgresql://secret@10.0.0.1 does not answer")

        for place in (f"{Searches.__module__}.Searches.search", "arcana_pipelines.web.gate.access_by_id"):
            with monkeypatch.context() as patched:
                patched.setattr(place, away)
                for language, said in (
                    ("en", "The database cannot answer now"),
                    ("ko", "데이터베이스가 응답하지 않습니다"),
                ):
                    answer = reader.get("/", query="vacation", lang=language)
                    assert answer.status_code == 503 and said in answer.text and "retry-after" in answer.headers
                    assert "10.0.0.1" not in answer.text

    def test_says_when_words_alone_were_searched(self, reader: Visitor, monkeypatch: pytest.MonkeyPatch) -> None:
        def fails(*_: object) -> None:
            raise EmbeddingFailed("the provider is away")

        monkeypatch.setattr(QueryEmbedders, "of", fails)
        for language, said in (("en", "The model for meanings does not answer"), ("ko", "의미 모델이 응답하지 않아")):
            answer = reader.get("/", query="vacation days", lang=language)
            assert answer.status_code == 200 and said in answer.text and "Vacation policy" in answer.text

    def test_is_a_page_in_words_whatever_happens(self, reader: Visitor, monkeypatch: pytest.MonkeyPatch) -> None:
        def broken(*_: object) -> None:
            raise ZeroDivisionError("a secret")

        monkeypatch.setattr(Searches, "search", broken)
        answer = reader.get("/", query="vacation", lang="ko")
        assert answer.status_code == 500 and "서버에 문제가 있습니다" in answer.text and "secret" not in answer.text
        assert answer.headers["x-request-id"] in answer.text

    def test_is_not_in_the_document_of_the_api(self, reader: Visitor) -> None:
        paths = reader.client.get("/openapi.json").json()["paths"]
        assert not [path for path in paths if path in ("/", "/state", "/document", "/log-in", "/log-out", "/link")]


class TestWords:
    def test_say_the_same_in_both_languages(self) -> None:
        for name, (english, korean) in TEXTS.items():
            assert english and korean, name
            places = [sorted(re.findall(r"\{(\w+)\}", text)) for text in (english, korean)]
            assert places[0] == places[1] and english.count("`") == korean.count("`"), name
            assert (re.search("[가-힣]", korean) and not re.search("[가-힣]", english)) or name == "error_id", name

    def test_that_templates_ask_for_are_there(self) -> None:
        templates = "".join(path.read_text() for path in (rendering.HERE / "templates").glob("*.html"))
        asked = set(re.findall(r"""\bt(?:\.with_code|\.count)?\(\s*["']([\w-]+)["']""", templates))
        assert len(asked) > 50 and {name for name in asked if name not in TEXTS and not name.endswith("_")} == set()

    @pytest.mark.parametrize(
        ("header", "language"),
        [("", "en"), ("ko", "ko"), ("ko-KR", "ko"), ("en-US,ko;q=0.9", "en"), ("fr,ko;q=0.5,en;q=0.3", "ko"),
         ("*", "en"), ("de", "en"), ("ko;q=0", "en"), (";;;,,q=", "en"), ("ko;q=9", "en")],
    )  # fmt: skip
    def test_are_in_the_language_that_a_browser_asks_for(self, header: str, language: str) -> None:
        assert accepted(header) == language

    def test_code_in_them_is_ours_alone(self) -> None:
        made = Words("en").with_code("corrected", word="<b>", meant="x")
        assert "<b>" not in made and "&lt;b&gt;" in made
        assert "<code>search</code>" in Words("en").with_code("no_workspace")

    def test_of_a_search_are_known(self) -> None:
        assert languages.note_name("No document has a 'Status'.") is None
        assert Asked.of({"query": " a ", "x": "y"}).address(after="c") == "/?query=a&after=c"
