"""Every request to Notion goes through `NotionApi.request`: limit, retry, classification, counting.

Every request we send is a read, search and query POSTs included, so every one may be repeated. urllib3 instead of
notion-client's own transport: docs/decisions/026-notion-client-on-our-transport.md.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, ClassVar
from urllib.parse import urlencode

from notion_client.errors import APIErrorCode, InvalidPathParameterError, validate_request_path
from pydantic import SecretStr

from arcana_pipelines.errors import (
    PageRejected,
    PageUnavailable,
    RequestInvalid,
    SourcePaused,
    SourceUnavailable,
    TokenRevoked,
)
from arcana_pipelines.markdown.characters import clean
from arcana_pipelines.net.http_client import Answer
from arcana_pipelines.net.retry import TryAgain
from arcana_pipelines.net.retry_after import retry_after
from arcana_pipelines.sources.client import MOST_BYTES, TOKEN_GOES, ApiClient, Patience, error_details, fingerprint
from arcana_pipelines.sources.limiter import RateLimiter
from arcana_pipelines.sources.notion.endpoints import Endpoints

NOTION_VERSION = "2026-03-11"
# Markdown is a whole page, of `LARGEST_PAGE` characters at most.
MOST_MARKDOWN_BYTES = 64 * 2**20
# https://developers.notion.com/reference/status-codes
RETRIED_STATUSES = frozenset({409, 429, 500, 502, 503, 504, 529})
# Names and ids. What comes from outside must not lead to another path of the API's host: no dots, no empty parts.
_PATH = re.compile(r"[a-z_]+(?:/[A-Za-z0-9_~%-]+)*")


class NotionApi(Endpoints, ApiClient):
    """The Notion API for one token, safe to share between threads."""

    title: ClassVar[str] = "Notion"

    def __init__(
        self,
        token: SecretStr,
        base_url: str,
        limiter: RateLimiter,
        patience: Patience,
        connections: int = 10,
        token_goes: str = TOKEN_GOES,
    ) -> None:
        """`token_goes`: what a person does with a new token, as a part of a sentence."""
        Endpoints.__init__(self)
        self.credential = fingerprint(token)
        self._limiter = limiter
        self._token_goes = token_goes
        self._root = f"{base_url.rstrip('/')}/v1/"
        headers = {
            "Authorization": f"Bearer {token.get_secret_value()}",
            "Notion-Version": NOTION_VERSION,
            "Content-Type": "application/json",
        }
        ApiClient.__init__(self, base_url, headers, patience, connections)

    def request(
        self,
        path: str,
        method: str,
        query: Mapping[str, Any] | None = None,
        body: Mapping[str, Any] | None = None,
        form_data: None = None,
        auth: None = None,
    ) -> dict[str, Any]:
        """Send one read and return its JSON object (see `Endpoints.request`).

        Raises:
            AnswerUnusable: the answer is JSON, and nothing that Notion says.
            TokenRevoked: 401.
            PageUnavailable: 404.
            RequestInvalid: 400.
            PageRejected: 403 and other refusals that concern what was asked for; the answer is too large.
            SourceUnavailable: no proper answer after all attempts, or a pause too long to sit out.
        """
        _check_path(path)
        url = f"{self._root}{path}?{urlencode(query, doseq=True)}" if query else self._root + path
        sent = None if body is None else json.dumps(body).encode()
        most = MOST_MARKDOWN_BYTES if path.endswith("/markdown") else MOST_BYTES
        result: dict[str, Any]
        _, result = self._read(method, url, f"{method} {path}", self._limiter.acquire, sent, most)
        return result

    def _is_answer(self, result: Any) -> bool:
        return isinstance(result, dict) and isinstance(result.get("object"), str)

    def _refused(self, answer: Answer, where: str) -> Exception:
        details = error_details(answer.data)
        code = _string(details.get("code"))[:100] or answer.status
        said = clean(f"{answer.status} {code}: {_string(details.get('message'))[:300]}".rstrip(": "))
        if answer.status == 401:
            return TokenRevoked(
                f"Notion does not accept the token (401 {code}). Nothing was removed. Make a new token in Notion's "
                f"integration settings, {self._token_goes}, and sync again."
            )
        if answer.status == 404 and details.get("object") == "error":
            # Only this code says that the page is not there; a path that is none answers 404 as well.
            return (PageUnavailable if code == APIErrorCode.ObjectNotFound else PageRejected)(f"{where}: {said}")
        if answer.status == 429:
            return self._throttled(answer, details, where)
        if answer.status in RETRIED_STATUSES or answer.status == 404 or answer.status < 400:
            # A redirect, or a 404 without Notion's error, is a gateway's, and says nothing of the page.
            return self._again(answer, said)
        return (RequestInvalid if answer.status == 400 else PageRejected)(f"{where}: {said}")

    def _throttled(self, answer: Answer, details: dict[str, Any], where: str) -> Exception:
        more = details.get("additional_data")
        more = more if isinstance(more, dict) else {}
        reason = clean(_string(more.get("rate_limit_reason"))[:100] or "rate_limited")
        if reason == "public_api_request_blocked":
            return SourceUnavailable(f"Notion has blocked this connection ({where}: {reason}). Ask Notion's support.")
        date = answer.headers.get("date")
        said = more.get("retry_after")
        pause = retry_after(
            answer.headers.get("retry-after") or (str(said) if isinstance(said, str | int | float) else None), date
        )
        # Others may use up the whole workspace's or one endpoint's allowance: ours is not too large for that.
        ours = reason not in ("public_api_space_request_rate_limit", "public_api_endpoint_rate_limit")
        self._limiter.throttled(pause or 0.0, reason, shrink=ours)
        if pause is not None and pause > self._patience.longest_pause:
            return SourcePaused(f"Notion asks to wait {pause:.0f} s ({reason}); the next sync goes on from here.")
        return TryAgain(f"429 {reason}", pause)


def _check_path(path: str) -> None:
    """
    Raises:
        PageRejected: what stands for an id in it is none, or leads to another path.
    """
    try:
        validate_request_path(path)  # two dots in any writing
        is_one = _PATH.fullmatch(path) is not None
    except InvalidPathParameterError:
        is_one = False
    if not is_one:
        raise PageRejected(f"{clean(path)[:200]!r} is not a path of Notion's API: an id in it is malformed.")


def _string(value: object) -> str:
    return value if isinstance(value, str) else ""
