"""What is said in a recording, written down by an OpenAI-compatible endpoint (`POST …/audio/transcriptions`).

The recording leaves the machine for that endpoint, so nothing is sent unless FILE_TRANSCRIPTION_URL is set.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import BaseModel, Field, ValidationError
from tenacity.wait import wait_exponential, wait_random

from arcana_pipelines.errors import TranscriptionFailed
from arcana_pipelines.files.kinds import kind_of, mime_type_of
from arcana_pipelines.files.parsing.blocks import NOWHERE, Block, Place
from arcana_pipelines.files.parsing.plain import plain
from arcana_pipelines.files.parsing.protocol import Reason, Unreadable
from arcana_pipelines.files.parsing.registry import UNHEARD
from arcana_pipelines.net.answer_size import AnswerTooLarge
from arcana_pipelines.net.bounded_http import bounded_client
from arcana_pipelines.net.failures import quiet
from arcana_pipelines.net.retry import Tried, TryAgain, until_answered
from arcana_pipelines.net.retry_after import retry_after
from arcana_pipelines.settings import Settings

if TYPE_CHECKING:
    import openai

MOST_BYTES = 25 * 2**20
"""Of one recording: OpenAI takes no more (https://platform.openai.com/docs/guides/speech-to-text), others the same."""
_PASSAGE_SECONDS = 30.0
# One recording of 25 MiB is an hour of speech, which a server without a graphics card takes minutes for.
_SECONDS = 900.0
_ATTEMPTS = 3
_PATIENCE = 120.0  # seconds of pauses between them
_MOST_ANSWERED = 16 * 2**20
_MOST_VALUES = 4_000_000
# The recording itself is refused: it would be again.
_REFUSALS = frozenset({400, 413, 415, 422})
_TRIED_AGAIN = frozenset({408, 409, 429})
_OUT_OF_CREDIT = frozenset({"insufficient_quota", "billing_not_active", "billing_hard_limit_reached"})
# The endpoint tells formats by the end of the name alone.
_ENDINGS = {
    "audio/aac": "aac", "audio/aiff": "aiff", "audio/amr": "amr", "audio/flac": "flac", "audio/mp4": "m4a",
    "audio/mpeg": "mp3", "audio/ogg": "ogg", "audio/wav": "wav", "video/mp4": "mp4", "video/mpeg": "mpeg",
    "video/quicktime": "mov", "video/webm": "webm", "video/x-msvideo": "avi",
}  # fmt: skip
# Whisper's own rule for what it hears in silence (`no_speech_threshold`, `logprob_threshold` of openai/whisper).
_SILENCE, _GUESSED = 0.6, -1.0
_backoff = wait_exponential(multiplier=1, max=30) + wait_random(0, 1)

_Seconds = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class _Segment(BaseModel):
    start: _Seconds
    end: _Seconds
    text: str
    no_speech_prob: float = 0.0
    avg_logprob: float = 0.0


class _Answer(BaseModel):
    text: str = ""
    segments: list[_Segment] | None = None


def transcribe(path: Path, name: str, settings: Settings) -> list[Block]:
    """What is said in a recording, in passages of about half a minute with their times.

    Args:
        path: its bytes.
        name: as people call it. It is not sent.

    Raises:
        Unreadable: there is no endpoint, the recording is too large or is refused, or nobody speaks in it.
        TranscriptionFailed: no proper answer after all attempts, or none to be had; another time there may be one.
    """
    if settings.file_transcription_url is None:
        raise Unreadable(Reason.NO_TRANSCRIPT, UNHEARD)
    size = path.stat().st_size
    if size > MOST_BYTES:
        raise Unreadable(Reason.TOO_LARGE, f"the recording has {size:,} bytes; {MOST_BYTES:,} at most are written down")
    mime_type = mime_type_of(path, kind_of(path, name))
    answer = _answered(_Endpoint(settings), path, mime_type)
    blocks = list(_passages(answer))
    if not blocks:
        raise Unreadable(Reason.NO_TEXT, "nobody speaks in it")
    return blocks


class _Endpoint:
    """The endpoint, its model and its key."""

    def __init__(self, settings: Settings) -> None:
        import openai  # half a second, for recordings alone

        url, key = str(settings.file_transcription_url), settings.file_transcription_api_key
        self.key = key.get_secret_value() if key is not None else ""
        self.model = settings.file_transcription_model
        client = bounded_client(settings, _MOST_ANSWERED, _SECONDS, _MOST_VALUES, base_url=url, timeout=_SECONDS)
        # What the environment names for OpenAI itself goes to no other endpoint.
        nobodys = {"OpenAI-Organization": openai.Omit(), "OpenAI-Project": openai.Omit()}
        self.sdk = openai.OpenAI(
            api_key=self.key or "none",
            base_url=url,
            max_retries=0,
            timeout=_SECONDS,
            default_headers=nobodys,  # type: ignore[arg-type]
            http_client=client,
        )


def _answered(endpoint: _Endpoint, path: Path, mime_type: str) -> _Answer:
    try:
        with endpoint.sdk:
            return until_answered(
                lambda: _attempt(endpoint, path, mime_type),
                backoff=_backoff,
                gives_up=_gives_up,
                wait=lambda tried: max(tried.pause or 0.0, tried.backoff),
            )
    except TryAgain as error:
        raise _failed(str(error)) from error


def _gives_up(tried: Tried) -> bool:
    return tried.attempts >= _ATTEMPTS or tried.waited + (tried.pause or 0.0) > _PATIENCE


def _attempt(endpoint: _Endpoint, path: Path, mime_type: str) -> _Answer:
    import httpx
    import openai

    # OpenAI's newer models answer with the text alone.
    form: Literal["json", "verbose_json"] = "json" if endpoint.model.startswith("gpt-") else "verbose_json"
    try:
        with path.open("rb") as file:
            said = endpoint.sdk.audio.transcriptions.with_raw_response.create(
                file=(f"recording.{_ENDINGS.get(mime_type, 'mp3')}", file, mime_type),
                model=endpoint.model,
                response_format=form,
            )
        return _Answer.model_validate_json(said.content)
    except openai.APIStatusError as error:
        raise _of_status(error, endpoint) from error
    except (openai.APIConnectionError, httpx.RequestError) as error:
        cause = error.__cause__ or error
        if isinstance(cause.__cause__, AnswerTooLarge):
            raise _failed("the answer is too large") from error
        raise TryAgain(quiet(f"{type(cause).__name__}: {cause}", endpoint.key)) from error
    except (openai.OpenAIError, ValidationError) as error:  # whose words may be those of the recording
        raise _failed("the answer is no transcript") from error


def _of_status(error: openai.APIStatusError, endpoint: _Endpoint) -> Exception:
    status = error.status_code
    if status in _REFUSALS:
        return Unreadable(Reason.NO_TRANSCRIPT, f"the endpoint of transcripts refuses it (HTTP {status})")
    body = error.body if isinstance(error.body, dict) else {}
    message = body.get("message")
    said = quiet(f"HTTP {status} {message if isinstance(message, str) else ''}".strip(), endpoint.key)
    if not {error.code, error.type} & _OUT_OF_CREDIT and (status in _TRIED_AGAIN or status >= 500):
        headers = error.response.headers
        return TryAgain(said, retry_after(headers.get("retry-after"), headers.get("date")))
    return _failed(said)


def _failed(said: str) -> TranscriptionFailed:
    return TranscriptionFailed(f"FILE_TRANSCRIPTION_URL does not write a recording down: {said}.")


def _passages(answer: _Answer) -> Iterator[Block]:
    if answer.segments is None:
        yield from _passage([answer.text], NOWHERE)
        return
    texts: list[str] = []
    begin = end = 0.0
    for segment in _spoken(answer.segments):
        if not texts:
            begin = segment.start
        texts.append(segment.text)
        end = max(begin, segment.end)
        if end - begin >= _PASSAGE_SECONDS:
            yield from _passage(texts, Place(begin=begin, end=end))
            texts = []
    yield from _passage(texts, Place(begin=begin, end=end))


def _spoken(segments: Iterable[_Segment]) -> Iterator[_Segment]:
    """Without what the model has made up: in silence it hears thanks and farewells."""
    return (each for each in segments if not (each.no_speech_prob > _SILENCE and each.avg_logprob < _GUESSED))


def _passage(texts: list[str], place: Place) -> Iterator[Block]:
    if text := plain(" ".join(texts)):
        yield Block("text", text, place=place)
