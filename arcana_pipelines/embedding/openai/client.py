"""Every request to an OpenAI-compatible endpoint goes through `OpenAIClient.ask`: retries, pauses, kinds of errors.

The SDK's own retrying is off: it knows nothing of the other threads, which go on sending into a 429, and it takes an
account without credit for one that is too fast.
"""

from __future__ import annotations

import re
import weakref
from collections.abc import Callable, Mapping
from typing import TypeVar

import httpx
import openai
from tenacity.wait import wait_exponential, wait_random

from arcana_pipelines.errors import EmbeddingFailed, InputRejected
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

# Of one answer: 2,048 vectors of 3,072 numbers are 25 MiB in base64.
MOST_BYTES = 32 * 2**20
# Of one answer: as many numbers as fit into that as text.
MOST_VALUES = 4_000_000
# Of one file of a batch: 50,000 vectors of 3,072 numbers are 3.3 GB as text.
MOST_FILE_BYTES = 8 * 2**30
MOST_FILE_SECONDS = 3600.0


class OpenAIClient:
    """One endpoint with one key, safe to share between threads, which pause together.

    `patience` is how many seconds of pauses one request sits out; what is left then is for the next run.
    """

    def __init__(self, settings: Settings, patience: float) -> None:
        assert settings.openai_api_key is not None
        self._patience = patience
        self._retries = settings.openai_max_retries
        self._pause = SharedPause()
        self._key = settings.openai_api_key.get_secret_value()

        def sdk(most_bytes: int, seconds: float, most_values: int | None = None) -> openai.OpenAI:
            client = openai.OpenAI(
                api_key=self._key,
                base_url=settings.openai_base_url,
                organization=settings.openai_organization,
                max_retries=0,
                timeout=settings.openai_timeout,
                http_client=bounded_client(settings, most_bytes, seconds, most_values),
            )
            # Embedders are dropped, not closed; their connections must not wait for the garbage collector's order.
            weakref.finalize(self, client.close)
            return client

        self.sdk = sdk(MOST_BYTES, 2 * settings.openai_timeout, MOST_VALUES)
        # Files of answers are gigabytes; they are written to disk piece by piece.
        self.files = sdk(MOST_FILE_BYTES, MOST_FILE_SECONDS)

    def ask(self, request: Callable[[openai.OpenAI], Answer], what: str, over: openai.OpenAI | None = None) -> Answer:
        """Send a request and return its answer; it may be sent several times. `what` names it in errors.

        `over` is `files` where the answer is a file, else `sdk`.

        Raises:
            InputRejected: the endpoint refuses what was sent.
            EmbeddingFailed: no proper answer after all attempts, or none to be had.
        """
        try:
            return until_answered(
                lambda: self._attempt(request, what, over or self.sdk),
                backoff=_backoff,
                gives_up=self._gives_up,
                wait=lambda tried: max(tried.pause or 0.0, tried.backoff),
            )
        except TryAgain as error:
            raise EmbeddingFailed(
                f"The embedding provider failed for {what}: {error}. The next sync goes on from here."
            ) from error

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
        except Exception as error:
            # An endpoint that is not an embedding API may answer 200 with anything, which the SDK meets with any error.
            said = quiet(f"{type(error).__name__}: {error}", self._key)
            raise EmbeddingFailed(f"The embedding provider failed for {what}: {said}") from error

    def _unanswered(self, error: BaseException, what: str) -> Exception:
        said = quiet(f"{type(error).__name__}: {error}", self._key)
        if isinstance(error.__cause__, AnswerTooLarge):  # it would be as large again
            return EmbeddingFailed(f"The embedding provider failed for {what}: {said}")
        return TryAgain(said)

    def _classified(self, error: openai.APIStatusError, what: str) -> Exception:
        body = error.body if isinstance(error.body, dict) else {}
        message = body.get("message")
        said = quiet(f"HTTP {error.status_code} {message if isinstance(message, str) else ''}".strip(), self._key)
        if error.status_code == 429 and _OUT_OF_CREDIT & {error.code, error.type}:
            return EmbeddingFailed(
                f"The account of the embedding provider has no credit left ({said}). Trying again does not help: add "
                "credit or raise the account's limit (https://platform.openai.com/settings/organization/billing), "
                "then sync again."
            )
        headers = error.response.headers
        if _may_help(error.status_code, headers.get("x-should-retry")):
            pause = pause_asked_for(headers)
            if pause is not None and pause <= self._patience:
                self._pause.begin(pause)
            return TryAgain(said, pause)
        kind = InputRejected if error.status_code in _INPUT_STATUSES else EmbeddingFailed
        return kind(f"The embedding provider failed for {what}: {said}")

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
