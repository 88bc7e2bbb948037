"""Every request to an OpenAI-compatible endpoint goes through `OpenAICompatible.ask`: retries, pauses, kinds of errors.

The SDK's own retrying is off: it knows nothing of the other threads, which go on sending into a 429, and it takes an
account without credit for one that is too fast.
"""

from __future__ import annotations

import re
import weakref
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import httpx
import openai
from tenacity.wait import wait_exponential, wait_random

from arcana_pipelines.errors import ArcanaError
from arcana_pipelines.net.answer_size import AnswerTooLarge
from arcana_pipelines.net.bounded_http import bounded_client
from arcana_pipelines.net.failures import quiet
from arcana_pipelines.net.retry import Tried, TryAgain, until_answered
from arcana_pipelines.net.retry_after import number_of_seconds, retry_after
from arcana_pipelines.net.shared_pause import SharedPause
from arcana_pipelines.settings import Settings

Answer = TypeVar("Answer")

# https://platform.openai.com/docs/guides/error-codes: an account without credit answers 429, too.
_OUT_OF_CREDIT = frozenset({"insufficient_quota", "billing_not_active", "billing_hard_limit_reached"})
_RETRIED_STATUSES = frozenset({408, 409, 429})
# A text that is too long, or that a filter refuses.
_INPUT_STATUSES = frozenset({400, 413, 422})
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|h|m|s)")
_UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
_backoff = wait_exponential(multiplier=0.5, max=30) + wait_random(0, 0.5)


@dataclass(frozen=True, slots=True)
class Provider:
    """Who is asked, and how its failures are told.

    Attributes:
        name: as it stands in a sentence: `the embedding provider`.
        failed: what is raised where there was no proper answer.
        rejected: what is raised where it refuses what was sent.
        goes_on: the end of a message where trying again later may help.
        is_quoted: messages repeat what it said; False where that may be words of what was sent.
    """

    name: str
    failed: type[ArcanaError]
    rejected: type[ArcanaError]
    goes_on: str
    is_quoted: bool = True


class OpenAICompatible:
    """One endpoint with one key, safe to share between threads, which pause together.

    `patience` is how many seconds of pauses one request sits out, `retries` how often it is sent again else; what is
    left then is for the next run.
    """

    def __init__(
        self,
        provider: Provider,
        settings: Settings,
        *,
        base_url: str,
        key: str,
        timeout: float,
        retries: int,
        patience: float,
        **options: Any,
    ) -> None:
        """`key` is empty where the endpoint wants none; `timeout` in seconds; `options` are of `openai.OpenAI`."""
        self._provider = provider
        self._settings = settings
        self._base_url = base_url
        self._key = key
        self._timeout = timeout
        self._retries = retries
        self._patience = patience
        self._options = options
        self._pause = SharedPause()

    def connect(self, most_bytes: int, seconds: float, most_values: int | None = None) -> openai.OpenAI:
        """The SDK over connections of its own: how large an answer may be, and how long it may take in all."""
        client = openai.OpenAI(
            api_key=self._key or "none",
            base_url=self._base_url,
            max_retries=0,
            timeout=self._timeout,
            http_client=bounded_client(
                self._settings, most_bytes, seconds, most_values, base_url=self._base_url, timeout=self._timeout
            ),
            **self._options,
        )
        # Embedders are dropped, not closed; their connections must not wait for the garbage collector's order.
        weakref.finalize(self, client.close)
        return client

    def ask(self, request: Callable[[openai.OpenAI], Answer], what: str, over: openai.OpenAI) -> Answer:
        """Send a request and return its answer; it may be sent several times. `what` names it in errors.

        Raises:
            ArcanaError: as the provider's `rejected`: the endpoint refuses what was sent. As its `failed`: no proper
                answer after all attempts, or none to be had.
        """
        try:
            return until_answered(
                lambda: self._attempt(request, what, over),
                backoff=_backoff,
                gives_up=self._gives_up,
                wait=lambda tried: max(tried.pause or 0.0, tried.backoff),
            )
        except TryAgain as error:
            raise self._failed(what, f"{error}. {self._provider.goes_on}") from error

    def _attempt(self, request: Callable[[openai.OpenAI], Answer], what: str, over: openai.OpenAI) -> Answer:
        self._pause.sit_out()
        try:
            return request(over)
        except openai.APIStatusError as error:
            raise self._classified(error, what) from error
        except openai.APIConnectionError as error:
            raise self._unanswered(error.__cause__ or error, what) from error
        except httpx.RequestError as error:  # while a file was read
            raise self._unanswered(error, what) from error
        except self._provider.failed:
            raise
        except Exception as error:
            # An endpoint of another kind may answer 200 with anything, which the SDK meets with any error.
            raise self._failed(what, self._said(type(error).__name__, error)) from error

    def _unanswered(self, error: BaseException, what: str) -> Exception:
        said = self._said(type(error).__name__, error)
        if isinstance(error.__cause__, AnswerTooLarge):  # it would be as large again
            return self._failed(what, said)
        return TryAgain(said)

    def _classified(self, error: openai.APIStatusError, what: str) -> Exception:
        body = error.body if isinstance(error.body, dict) else {}
        message = body.get("message")
        said = f"HTTP {error.status_code}"
        if self._provider.is_quoted and isinstance(message, str):
            said = quiet(f"{said} {message}".strip(), self._key)
        if error.status_code == 429 and _OUT_OF_CREDIT & {error.code, error.type}:
            return self._provider.failed(
                f"The account of {self._provider.name} has no credit left ({said}). Trying again does not help: add "
                "credit or raise the account's limit (https://platform.openai.com/settings/organization/billing). "
                f"{self._provider.goes_on}"
            )
        headers = error.response.headers
        if _may_help(error.status_code, headers.get("x-should-retry")):
            pause = pause_asked_for(headers)
            if pause is not None and pause <= self._patience:
                self._pause.begin(pause)
            return TryAgain(said, pause)
        kind = self._provider.rejected if error.status_code in _INPUT_STATUSES else self._provider.failed
        return self._failed(what, said, kind)

    def _said(self, name: str, error: BaseException) -> str:
        return quiet(f"{name}: {error}", self._key) if self._provider.is_quoted else name

    def _failed(self, what: str, said: str, kind: type[ArcanaError] | None = None) -> ArcanaError:
        name = self._provider.name
        return (kind or self._provider.failed)(f"{name[:1].upper()}{name[1:]} failed for {what}: {said}")

    def _gives_up(self, tried: Tried) -> bool:
        if tried.pause is not None:
            return tried.waited + tried.pause > self._patience
        return tried.attempts > self._retries or tried.waited > self._patience


def _may_help(status: int, said: str | None) -> bool:
    """Whether another attempt may go better; `said` is OpenAI's header x-should-retry."""
    if said in ("true", "false"):
        return said == "true"
    return status in _RETRIED_STATUSES or status >= 500


def pause_asked_for(headers: Mapping[str, str]) -> float | None:
    """Seconds that an answer asks to wait, or None when it does not say.

    Retry-After in milliseconds, in seconds or as an HTTP date (read against the answer's own `Date`); else the time
    until the limit that is used up is full again (https://platform.openai.com/docs/guides/rate-limits).
    """
    named = number_of_seconds(headers.get("retry-after-ms"), unit=0.001)
    if named is None:
        named = retry_after(headers.get("retry-after"), headers.get("date"))
    if named is not None:
        return named
    used_up = [name for name in ("requests", "tokens") if headers.get(f"x-ratelimit-remaining-{name}") == "0"]
    resets = [_DURATION.findall(headers.get(f"x-ratelimit-reset-{name}", "")[:100]) for name in used_up]
    return max((sum(float(number) * _UNITS[unit] for number, unit in reset) for reset in resets), default=None)
