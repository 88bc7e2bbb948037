"""The page in a real browser: by keyboard alone, without JavaScript, and as those find it who do not see it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from arcana_pipelines.keys import keys
from arcana_pipelines.keys.access import Permission
from arcana_pipelines.workspaces import workspaces
from arcana_pipelines_tests.web.conftest import SALT, Api
from arcana_pipelines_tests.web.people.chromium import Tab, browser, find_chromium
from arcana_pipelines_tests.web.people.test_review import make_queue, topics
from arcana_pipelines_tests.web.people.test_state import make_trouble

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(find_chromium() is None, reason="NO CHROMIUM: the page was not looked at in a browser"),
]
RULES = (Path(__file__).parent / "accessibility.js").read_text(encoding="utf-8")
MOST_TABS = 40
PATHS = ("/", "/?query=vacation+days&kind=page", "/?query=vacation&lang=ko", "/?query=vacation&below=nowhere", "/state",
         "/document?workspace=acme&id=Vacation+policy", "/document", "/link?once=x", "/review", "/review?topic=Nowhere",
         "/review?done=accept&lang=ko", "/?query=vacation&topic=People", "/state?lang=en")  # fmt: skip


@pytest.fixture
def tab() -> Iterator[Tab]:
    with browser() as tab:
        yield tab


def key_to_all(api: Api) -> str:
    with api.acme.database.connection() as connection:
        acme = workspaces.find(connection, "acme")
        granted = [Permission(scope, None, None) for scope in ("search", "read", "feedback", "review", "admin")]
        return keys.create(connection, SALT, acme.company_id, granted, "test").key


def focus_on(tab: Tab, selector: str) -> None:
    """Press Tab until that has the focus, and see that the focus can be seen on the way."""
    for _ in range(MOST_TABS):
        if tab.run(f"document.activeElement.matches({json.dumps(selector)})"):
            return
        tab.press("Tab")
        outline = "parseFloat(getComputedStyle(document.activeElement).outlineWidth)"
        assert tab.run(f"document.activeElement === document.body || {outline} >= 2"), "a focus that nobody sees"
    raise AssertionError(f"the keyboard does not come to {selector}")


def log_in_by_keyboard(tab: Tab, api: Api) -> None:
    tab.go(f"{api.url}/")
    focus_on(tab, "#key")
    tab.type(key_to_all(api))
    tab.press("Enter")
    tab.wait("document.activeElement.id === 'query'")


def test_by_keyboard_alone_a_reader_logs_in_searches_and_says_that_it_helped(api: Api, tab: Tab) -> None:
    log_in_by_keyboard(tab, api)
    tab.type("vacation days")
    tab.press("Enter")
    tab.wait("document.querySelectorAll('.hit').length > 0")
    assert "30 days" in tab.run("document.querySelector('.hit').innerText")
    assert "days" in tab.run("[...document.querySelectorAll('mark')].map(each => each.textContent)")
    focus_on(tab, ".skip")
    tab.press("Enter")
    focus_on(tab, ".hit button[value=helpful]")
    tab.press("Space")
    tab.wait("document.querySelector('.feedback [role=status]').textContent.startsWith('Thank you')")
    assert tab.run("document.activeElement.ariaPressed") == "true" and tab.run("location.pathname") == "/"
    assert api.acme.rows("SELECT verdict FROM search_feedback") == [("helpful",)]
    focus_on(tab, ".hit h3 a[href^='/document']")
    tab.press("Enter")
    tab.wait("location.pathname === '/document'")
    focus_on(tab, "button.quiet")
    tab.press("Enter")
    tab.wait("location.pathname === '/log-in'")
    assert not [each for each in tab.errors if "Password forms" not in each], tab.errors


def test_without_javascript_everything_is_there(api: Api, tab: Tab) -> None:
    tab.ask("Emulation.setScriptExecutionDisabled", value=True)
    log_in_by_keyboard(tab, api)
    tab.type("휴가")
    tab.press("Enter")
    tab.wait("document.querySelectorAll('.hit').length > 0")
    focus_on(tab, "summary")
    tab.press("Enter")
    focus_on(tab, "#below")
    focus_on(tab, ".hit button[value=unhelpful]")
    tab.press("Enter")
    tab.wait("location.pathname === '/feedback' && document.querySelector('h1').textContent.startsWith('Thank you')")
    assert api.acme.rows("SELECT verdict FROM search_feedback") == [("unhelpful",)]


def test_by_keyboard_and_without_javascript_a_reviewer_decides_and_goes_on(api: Api, tab: Tab) -> None:
    make_queue(api)
    tab.ask("Emulation.setScriptExecutionDisabled", value=True)
    log_in_by_keyboard(tab, api)
    focus_on(tab, "nav a[href='/review']")
    tab.press("Enter")
    tab.wait("document.querySelectorAll('.suggestion').length === 2")
    focus_on(tab, ".suggestion button[value=reject]")
    tab.press("Enter")
    tab.wait("document.querySelectorAll('.note').length === 1")
    # The browser moves the focus when it draws what is there already.
    tab.wait("document.activeElement.textContent === 'Rejected.'")
    focus_on(tab, ".suggestion summary")
    tab.press("Enter")
    focus_on(tab, ".suggestion [name=instead]")
    tab.type("People/Pay")
    tab.press("Enter")
    tab.wait("document.querySelector('.note').textContent === 'The other topic was taken.'")
    assert [path for _, path in topics(api)] == ["People/Pay"]


def test_a_link_on_another_site_leads_to_what_was_asked_for_and_logs_nobody_out(api: Api, tab: Tab) -> None:
    log_in_by_keyboard(tab, api)
    tab.go(f"{api.url.replace('127.0.0.1', 'localhost')}/healthz")
    tab.run(f"location.href = '{api.url}/?query=vacation'")
    tab.wait("location.hostname === '127.0.0.1' && document.querySelectorAll('.hit').length > 0")


@pytest.mark.parametrize("width", [1200, 400, 320])
def test_nothing_is_missing_for_those_who_do_not_see_it(
    api: Api, tab: Tab, width: int, capsys: pytest.CaptureFixture[str]
) -> None:
    axe = Path(os.environ["AXE_CORE"]).read_text(encoding="utf-8") if "AXE_CORE" in os.environ else None
    if axe is None:
        with capsys.disabled():
            print("\nAXE_CORE names no axe.min.js: the page was looked at by our own rules alone")
    looked_at = [f"{api.url}/log-in"]
    make_trouble(api)
    make_queue(api)
    tab.go(looked_at[0])
    for dark in (False, True):
        tab.size(width, 900, dark=dark)
        look(tab, looked_at[0], axe)
    log_in_by_keyboard(tab, api)
    for path in PATHS:
        for dark in (False, True):
            tab.size(width, 900, dark=dark)
            tab.go(f"{api.url}{path}")
            look(tab, path, axe)


def look(tab: Tab, path: str, axe: str | None) -> None:
    """Refuse what our rules, and axe's, find."""
    assert tab.run(RULES) == [], path
    if axe is not None:
        tab.run(f"{axe}; undefined")
        found = tab.run("axe.run().then(all => all.violations.map(each => [each.impact, each.id, each.nodes[0].html]))")
        assert [each for each in found if each[0] in ("serious", "critical")] == [], path
