"""A chat model at an OpenAI-compatible endpoint (`POST …/chat/completions`), asked for one summary.

What endpoints take differs: some know no `response_format`, some no `max_completion_tokens`. The first form that is
answered is kept; until one was, what the endpoint refuses is asked for in the next. The order to answer with JSON
stands in the message besides, so an endpoint without schemas is asked for it, too.
"""

from __future__ import annotations

import time
from functools import partial
from typing import Any

import openai
from urllib3.exceptions import HTTPError

from arcana_pipelines.chunking.tokens import estimate_tokens
from arcana_pipelines.errors import InvalidSetting, SummaryFailed, SummaryRefused, SummaryUnusable
from arcana_pipelines.net.failures import timed_out
from arcana_pipelines.net.openai_client import OpenAICompatible, Provider
from arcana_pipelines.settings import Settings
from arcana_pipelines.tickets.summaries.answer import checked
from arcana_pipelines.tickets.summaries.outcome import MOST_REQUESTS, Outcome, Usage
from arcana_pipelines.tickets.summaries.prompt import MOST_OUTPUT_TOKENS, SCHEMA, Prompt

_PROVIDER = Provider(
    "the chat model of SUMMARY_MODEL",
    SummaryFailed,
    SummaryRefused,
    goes_on="The next run goes on from here.",
    is_quoted=False,  # an endpoint may repeat what it was sent
)
_RETRIES = 3
_PATIENCE = 60.0  # seconds of pauses; a run has other tickets, and a later one comes soon
_MOST_BYTES = 2**20
_MOST_VALUES = 10_000
_FORMATS = {"response_format": {"type": "json_schema", "json_schema": SCHEMA}}
_FORMS: tuple[dict[str, Any], ...] = (
    {**_FORMATS, "max_completion_tokens": MOST_OUTPUT_TOKENS},
    {**_FORMATS, "max_tokens": MOST_OUTPUT_TOKENS},
    {"max_tokens": MOST_OUTPUT_TOKENS},
    {"max_completion_tokens": MOST_OUTPUT_TOKENS},
)


class ChatModel:
    """The model of SUMMARY_MODEL; safe to share between threads, which pause together."""

    def __init__(self, settings: Settings) -> None:
        """
        Raises:
            InvalidSetting: no model is set, or its key holds characters that no key has.
        """
        if settings.summary_model is None:
            raise InvalidSetting("SUMMARY_MODEL is not set: no chat model summarises tickets (docs/tickets.md).")
        key = settings.summary_api_key.get_secret_value().strip() if settings.summary_api_key else ""
        if not key.isascii() or any(character.isspace() for character in key):
            raise InvalidSetting("SUMMARY_API_KEY holds characters that no key has. Copy it again.")
        self.name = settings.summary_model
        # What the environment names for OpenAI itself goes to no other endpoint.
        nobodys = {"OpenAI-Organization": openai.Omit(), "OpenAI-Project": openai.Omit()}
        self._client = OpenAICompatible(
            _PROVIDER,
            settings,
            base_url=settings.summary_base_url,
            key=key,
            timeout=settings.summary_timeout,
            retries=_RETRIES,
            patience=_PATIENCE,
            default_headers=nobodys,
        )
        self._sdk = self._client.connect(_MOST_BYTES, settings.summary_timeout, _MOST_VALUES)
        self._form = 0
        self._is_proven = False

    def summarise(self, prompt: Prompt) -> Outcome:
        """Ask for a summary, once more where the answer is none. Never raises what is the model's fault."""
        usage = Usage()
        problem: SummaryFailed | None = None
        for _ in range(MOST_REQUESTS):
            try:
                answer = self._answered(prompt, usage)
                return Outcome(checked(answer, prompt.is_korean), None, usage)
            except SummaryUnusable as error:
                problem = error
            except SummaryFailed as error:
                return Outcome(None, error, usage)
        return Outcome(None, problem, usage)

    def _answered(self, prompt: Prompt, usage: Usage) -> str | None:
        """The words of one answer.

        Raises:
            SummaryUnusable: there are none, or they broke off.
            SummaryRefused, SummaryFailed: see `OpenAICompatible.ask`.
        """
        while True:
            form = self._form
            request = partial(self._send, prompt, form, usage)
            try:
                answer = self._client.ask(request, "a ticket", self._sdk)
                self._is_proven = True
                return answer
            except SummaryRefused:
                if self._is_proven:
                    raise
                # Where none is taken it is the ticket, and the next one begins anew.
                self._form = (form + 1) % len(_FORMS)
                if not self._form:
                    raise

    def _send(self, prompt: Prompt, form: int, usage: Usage, sdk: openai.OpenAI) -> str | None:
        began = time.monotonic()
        try:
            answer = sdk.chat.completions.create(model=self.name, messages=prompt.messages, **_FORMS[form])
        except openai.APIConnectionError as error:
            if _was_silent(error):
                # It may be at work, and bill it; and what took too long would again.
                _count(usage, began, prompt.most_tokens - MOST_OUTPUT_TOKENS, MOST_OUTPUT_TOKENS)
                raise SummaryFailed(
                    f"The chat model did not answer within SUMMARY_TIMEOUT. {_PROVIDER.goes_on}"
                ) from error
            raise
        choice = answer.choices[0]
        content = choice.message.content
        told = answer.usage
        sent = sum(estimate_tokens(each["content"]) for each in prompt.messages)
        _count(
            usage,
            began,
            _sane(told.prompt_tokens if told else None, sent, prompt.most_tokens),
            _sane(told.completion_tokens if told else None, estimate_tokens(content or ""), prompt.most_tokens),
        )
        if content is not None and not isinstance(content, str):
            raise SummaryUnusable("the answer is no text")
        if choice.finish_reason == "length":
            raise SummaryUnusable("the answer broke off at its longest length")
        return content


def _was_silent(error: openai.APIConnectionError) -> bool:
    cause = error.__cause__.__cause__ if error.__cause__ else None
    return isinstance(cause, HTTPError) and timed_out(cause)


def _count(usage: Usage, began: float, sent: int, answered: int) -> None:
    usage.requests += 1
    usage.input_tokens += sent
    usage.output_tokens += answered
    usage.seconds += time.monotonic() - began


def _sane(said: object, estimated: int, most: int) -> int:
    """What an endpoint counted, up to what can be; the estimate where it counts nothing."""
    return min(said if type(said) is int and said > 0 else estimated, most)
