"""A key without the scope `notes` is told no byte of a private note, by whatever route, page, tool or log."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from itertools import product
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from prometheus_client import generate_latest

from arcana_pipelines.caching.memory import MemoryStore
from arcana_pipelines.keys import keys
from arcana_pipelines.keys.access import Permission, Scope
from arcana_pipelines.workspaces import workspaces
from arcana_pipelines_tests.private_notes import SECRETS, SLUG, NotesWorkspace
from arcana_pipelines_tests.requirements.routes import ALL_SCOPES, Route, routes_with_key
from arcana_pipelines_tests.requirements.test_r4_mcp import call
from arcana_pipelines_tests.web.conftest import SALT, Api
from arcana_pipelines_tests.web.people.conftest import Visit, Visitor
from arcana_pipelines_tests.web.people.conftest import visit as visit

# Near to what notes say, and not it: what asks it tells no more than it is told. The slips are one letter away.
QUESTIONS = (
    "What does this customer owe, and what was given by telephone?", "zirkonquarx overdue", "쏙독새약솓 무상 교체",
    "battery baterien", "red button nine seconds", "owlet",
)  # fmt: skip
SLIPS = (
    {"properties": [{"name": "Visibilty", "operator": "=", "value": "privat"}]},
    {"properties": [{"name": "Zirkonquarx", "operator": "=", "value": "yes"}]},
    {"below": "20-notes"}, {"below": "Gripper stops"}, {"links_to": "21-notes"}, {"kinds": ["notes", "file"]},
    {"internal": True}, {"below": "owlet-ledgr.html"},
)  # fmt: skip
# They end what the others ask about.
LAST = ("DELETE /v1/workspaces/{slug}", "PUT /v1/workspaces/{slug}/token")
WRITTEN = ("search_answers", "search_feedback", "query_cache", "conversation_context", "api_usage_logs", "audit_logs")


def told(said: str | bytes) -> list[str]:
    """The secrets that something tells, as it is written or escaped."""
    text = said.decode("utf-8", "replace") if isinstance(said, bytes) else said
    forms = {
        secret: {secret, json.dumps(secret)[1:-1], quote(secret), secret.encode("unicode_escape").decode()}
        for secret in SECRETS
    }
    return [secret for secret, written in forms.items() if any(form.lower() in text.lower() for form in written)]


def said(answer: httpx.Response) -> str:
    return f"{answer.headers}\n{answer.text}"


def key_of(api: Api, *scopes: Scope) -> str:
    """A key to the company's workspaces, those of tickets among them."""
    with api.acme.database.connection() as connection:
        workspace = workspaces.find(connection, SLUG)
        granted = [Permission(scope, None, None) for scope in scopes]
        return keys.create(connection, SALT, workspace.company_id, granted, "desk").key


@pytest.fixture
def notes(api: Api) -> NotesWorkspace:
    return NotesWorkspace.beside(api.acme)


def asked_of(route: Route, notes: NotesWorkspace) -> Iterator[dict[str, Any]]:
    """What a route is asked: about each thing that is a note's, in every form that it takes."""
    note, paper = notes.document("20-notes"), notes.file("owlet-ledger.html")
    copy = notes.file("manual-owlet-ledger.html")
    chunk = notes.chunks(note)[0]
    named = {
        "document": [str(note), "20-notes", "Gripper stops", str(paper), "owlet-ledgr.html", str(copy), "20"],
        "document_id": [str(note), str(paper), str(copy)],
        "chunk": [str(chunk)],
        "ticket": ["20", "21"],
    }
    places = [
        dict(zip(named, chosen, strict=True))
        for chosen in product(*(held if name in route.of_path else held[:1] for name, held in named.items()))
    ]
    fixed = {"slug": SLUG, "store": SLUG, "index": "default", "generation": "1", "key_id": "abcdefgh"}
    queries: list[dict[str, str]] = [{}]
    if "query" in route.of_query:
        queries = [{"query": question} for question in QUESTIONS]
    if "below" in route.of_query:
        queries += [{"below": "20-notes"}, {"below": "Gripper stops"}, {"kind": "notes"}, {"internal": "true"}]
    if "neighbours" in route.of_query:
        queries += [{"neighbours": "3"}]
    if "platform" in route.of_query:  # that of the workspace of these tests
        queries = [{"platform": "notion"}]
    if "page" in route.of_query:
        queries = [{"name": "a.txt", "page": page} for page in ("20-notes", "Gripper stopz")]
    ((then,),) = notes.harness.rows("SELECT max(published_at) FROM published_document")
    bodies: list[Any] = [None]
    if route.path.endswith("/search") and route.takes_body:
        bodies = [{"query": question} for question in QUESTIONS]
        if "vector_stores" not in route.path:
            wide = {"min_score": 0, "k": 50, "neighbours": 3}
            bodies += [{**body, **wide, "ranking": each} for body in bodies for each in ("fused", "lexical", "dense")]
            bodies += [{**bodies[0], **wide, "filters": slip} for slip in SLIPS]
            bodies += [{**bodies[0], **wide, **more} for more in ({"per_document": True}, {"as_of": then.isoformat()})]
    elif route.path.endswith("/relations") and route.takes_body:
        bodies = [{"related": named, "type": "summary"} for named in (str(note), "21-notes")]
    elif str(route) == "POST /v1/keys":
        bodies = [{"scopes": ["search"], "workspaces": [SLUG], "filter": slip} for slip in SLIPS]
    elif str(route) == "POST /v1/conversations":
        bodies = [{"workspace": SLUG}]
    if "as_of" in route.of_query:
        queries += [{"as_of": then.isoformat()}, {"version": "1"}]
    for there, query, body in product(places, queries, bodies):
        yield {"there": {**there, **fixed}, "query": query, "body": body}


def crawled(api: Api, notes: NotesWorkspace, key: str) -> Iterator[tuple[str, httpx.Response]]:
    """Every route of the OpenAPI description, asked with a key; conversations, cursors and feedback, too."""
    routes = sorted(routes_with_key(api), key=lambda route: str(route) in LAST)
    with api.with_key(key) as client:
        for route in routes:
            for asked in asked_of(route, notes):
                if str(route) in LAST:
                    asked["there"]["slug"] = "gone"
                yield f"{route} {asked}", route.ask(client, **asked)
        begun = client.post("/v1/conversations", json={"workspace": SLUG}).json()
        address = f"/v1/conversations/{begun.get('conversation_id')}"
        for question in QUESTIONS:
            answer = client.post(f"{address}/search", json={"query": question, "min_score": 0, "k": 1})
            yield f"{address} {question}", answer
            after = answer.json().get("cursor") if answer.status_code == 200 else None
            if after:
                further = {"query": question, "min_score": 0, "k": 50, "after": after}
                yield f"{address} further", client.post(f"{address}/search", json=further)
        yield address, client.get(address)
        with client.stream("GET", "/v1/events", headers={"Accept": "text/event-stream"}) as stream:
            heard = ""
            for line in stream.iter_lines():
                heard += line
                if SLUG in line and line.startswith("data"):
                    break
            yield "events", httpx.Response(stream.status_code, headers=stream.headers, text=heard)
        for path in ("/openapi.json", "/healthz", "/readyz"):
            yield path, client.get(path)


def tools_asked(api: Api, notes: NotesWorkspace, key: str) -> Iterator[tuple[str, str]]:
    """Every tool of assistants."""
    ids = [
        f"{SLUG}/{notes.document(each)}{part}" for each, part in product(("20-notes", "21-notes", "20"), ("", "#1"))
    ] + [f"{SLUG}/{notes.file(name)}" for name in ("owlet-ledger.html", "manual-owlet-ledger.html")]
    asked: list[tuple[str, dict[str, Any]]] = [
        ("list_workspaces", {}),
        ("list_tickets", {"workspace": SLUG}),
        ("ticket_stats", {"workspace": SLUG}),
        *(("get_ticket", {"workspace": SLUG, "ticket": each}) for each in ("20", "21")),
        ("list_documents", {"workspace": SLUG}),
        *(("list_documents", {"workspace": SLUG, name: each}) for each in ids for name in ("below", "after")),
        *((tool, {"id": each}) for each in ids for tool in ("fetch", "related_documents")),
        *(("search", {"query": question}) for question in QUESTIONS),
        *(("search_with_filters", {"query": QUESTIONS[0], **more})
          for more in ({"kinds": ["notes"]}, {"below": ids[0]}, {"links_to": ids[0]},
                       {"where": ["Visibilty=privat"]}, {"where": ["Zirkonquarx=yes"]})),
    ]  # fmt: skip
    with api.with_key(key) as client:
        for tool, arguments in asked:
            yield f"{tool} {arguments}", json.dumps(call(client, tool, **arguments), ensure_ascii=False)
        for each in ids:
            slug, _, document = each.partition("/")
            uri = f"arcana://{slug}/documents/{document.replace('#', '/')}"
            read = {"jsonrpc": "2.0", "id": 1, "method": "resources/read", "params": {"uri": uri}}
            accept = {"Accept": "application/json, text/event-stream", "MCP-Protocol-Version": "2025-11-25"}
            yield uri, client.post("/mcp", json=read, headers=accept).text


def pages_opened(visitor: Visitor, notes: NotesWorkspace) -> Iterator[tuple[str, httpx.Response]]:
    """The page for people, in each of its parts."""
    for question, kind in product(QUESTIONS, ("", "file", "notes")):
        yield f"/ {question} {kind}", visitor.get("/", query=question, workspace=SLUG, kind=kind)
    for where in ("Visibilty=privat", "Zirkonquarx=yes"):
        yield f"/ {where}", visitor.get("/", query=QUESTIONS[0], workspace=SLUG, where=where)
    for document in (notes.document("20-notes"), notes.document("20"), notes.file("owlet-ledger.html")):
        yield f"/document {document}", visitor.get("/document", workspace=SLUG, id=str(document))
    yield "/state", visitor.get("/state")


@pytest.mark.slow  # some hundred requests with each of two keys, and each of them on its own
def test_no_answer_log_cache_or_row_tells_of_a_note_without_the_scope_and_answers_do_with_it(
    api: Api, notes: NotesWorkspace, visit: Visit, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept: list[bytes] = []
    put = MemoryStore.put
    monkeypatch.setattr(
        MemoryStore, "put", lambda store, key, value, seconds: (kept.append(value), put(store, key, value, seconds))[1]
    )
    for name in ("httpx", "httpcore"):  # this test's own
        caplog.set_level(logging.WARNING, name)
    caplog.set_level(logging.DEBUG)
    customer = key_of(api, *(scope for scope in ALL_SCOPES if scope != "notes"))
    agent = key_of(api, *ALL_SCOPES)

    told_by: dict[str, list[str]] = {}
    statuses: set[int] = set()
    asked = 0
    for what, answer in crawled(api, notes, customer):
        asked += 1
        statuses.add(answer.status_code)
        told_by |= {what: found} if (found := told(said(answer))) else {}
        assert answer.status_code < 500, f"{what}: {answer.text}"
    for what, text in tools_asked(api, notes, customer):
        told_by |= {what: found} if (found := told(text)) else {}
    browser = visit(api)
    browser.log_in(customer)
    for what, answer in pages_opened(browser, notes):
        told_by |= {what: found} if (found := told(said(answer))) else {}
    assert told_by == {}
    assert kept and not [value for value in kept if told(value)]
    print(f"{asked} requests without the scope, answered {sorted(statuses)}")

    with_it = {secret for _, answer in crawled(api, notes, agent) for secret in told(said(answer))}
    of_tools = {secret for _, text in tools_asked(api, notes, agent) for secret in told(text)}
    browser.log_in(agent)
    of_pages = {secret for _, answer in pages_opened(browser, notes) for secret in told(said(answer))}
    with api.with_key(agent) as client:
        assert set(told(said(client.get("/v1/tickets/20", params={"platform": "notion"})))) == {
            *SECRETS[:2],
            SECRETS[3],
        }
    assert with_it == set(SECRETS) and set(SECRETS[:3]) <= of_tools and set(SECRETS[:2]) <= of_pages

    assert not told(caplog.text) and not told(generate_latest(api.metrics.registry))
    for table in WRITTEN:
        rows = api.acme.rows(f"SELECT each::text FROM {table} each")
        assert not told(str(rows)), table
