"""Recordings: written down by an endpoint where one is set, with times; a refusal is told from a failure."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from arcana_pipelines.errors import TranscriptionFailed
from arcana_pipelines.files import transcription
from arcana_pipelines.files.parsing.blocks import Block, Place
from arcana_pipelines.files.parsing.protocol import Reason, Unreadable
from arcana_pipelines.files.transcript_key import transcript_key
from arcana_pipelines.files.transcription import MOST_BYTES, transcribe
from arcana_pipelines.settings import Settings
from arcana_pipelines.testing.openai_server import EmbeddingServer
from arcana_pipelines_tests.conftest import Naps
from arcana_pipelines_tests.files.sayings import shared

ROUTE = "POST /v1/audio/transcriptions"


@pytest.fixture
def endpoint() -> Iterator[EmbeddingServer]:
    with EmbeddingServer() as server:
        server.spoken = [segment(0, 4, " 안녕하세요."), segment(4, 9.5, " 회의를 시작하겠습니다.")]
        yield server


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    (path := tmp_path / ("0" * 64)).write_bytes(b"ID3\x04" + bytes(1000))
    return path


def segment(start: float, end: float, text: str, **more: Any) -> dict[str, Any]:
    return {"id": 0, "start": start, "end": end, "text": text, "tokens": [1, 2], "avg_logprob": -0.2, **more}


def settings_for(endpoint: EmbeddingServer, **more: Any) -> Settings:
    given = {"file_transcription_url": endpoint.base_url, "file_transcription_api_key": SecretStr("sk-of-recordings")}
    return Settings().model_copy(update=given | more)


def reason_of(path: Path, settings: Settings) -> Reason:
    with pytest.raises(Unreadable) as refused:
        transcribe(path, "회의.mp3", settings)
    return refused.value.reason


def test_a_recording_is_written_down_with_its_times(endpoint: EmbeddingServer) -> None:
    path = shared("audio/sample-10s.mp3")
    assert transcribe(path, "회의.mp3", settings_for(endpoint)) == [
        Block("text", "안녕하세요. 회의를 시작하겠습니다.", place=Place(begin=0, end=9.5))
    ]
    (form,) = endpoint.recordings
    assert form["file"] == path.read_bytes()
    assert (form["model"], form["response_format"]) == ("whisper-1", "verbose_json")


def test_the_endpoint_learns_neither_the_name_nor_what_is_for_openai(
    endpoint: EmbeddingServer, recording: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_ORG_ID", "org-of-others")
    monkeypatch.setenv("OPENAI_PROJECT_ID", "project-of-others")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-others")
    transcribe(recording, "인사 평가 (비밀).mp3", settings_for(endpoint))
    transcribe(recording, "인사 평가 (비밀).mp3", settings_for(endpoint, file_transcription_api_key=None))
    with_key, without = endpoint.recordings
    assert with_key["headers"]["authorization"] == "Bearer sk-of-recordings"
    for form in (with_key, without):
        assert form["filename"] == "recording.mp3"
        assert "of-others" not in str(form["headers"])


def test_passages_are_of_about_half_a_minute(endpoint: EmbeddingServer, recording: Path) -> None:
    endpoint.spoken = [segment(10 * n, 10 * n + 9, f" {n}.") for n in range(8)]
    assert transcribe(recording, "", settings_for(endpoint)) == [
        Block("text", "0. 1. 2. 3.", place=Place(begin=0, end=39)),
        Block("text", "4. 5. 6. 7.", place=Place(begin=40, end=79)),
    ]


def test_what_a_model_hears_in_silence_is_left_out(endpoint: EmbeddingServer, recording: Path) -> None:
    thanks = segment(0, 30, " 시청해 주셔서 감사합니다.", no_speech_prob=0.9, avg_logprob=-1.4)
    endpoint.spoken = [thanks, segment(30, 34, " 네.", no_speech_prob=0.9, avg_logprob=-0.3)]
    assert [block.text for block in transcribe(recording, "", settings_for(endpoint))] == ["네."]
    endpoint.spoken = [thanks]
    assert reason_of(recording, settings_for(endpoint)) is Reason.NO_TEXT


def test_a_model_that_gives_no_times_is_asked_for_the_text(endpoint: EmbeddingServer, recording: Path) -> None:
    (block,) = transcribe(recording, "", settings_for(endpoint, file_transcription_model="gpt-4o-transcribe"))
    assert block == Block("text", "안녕하세요. 회의를 시작하겠습니다.")


def test_without_an_endpoint_nothing_is_sent(recording: Path) -> None:
    assert reason_of(recording, Settings()) is Reason.NO_TRANSCRIPT


def test_a_large_recording_is_not_sent(endpoint: EmbeddingServer, recording: Path) -> None:
    with recording.open("r+b") as file:
        file.truncate(MOST_BYTES + 1)
    assert reason_of(recording, settings_for(endpoint)) is Reason.TOO_LARGE
    assert endpoint.requests == []


@pytest.mark.parametrize("status", [400, 413, 415, 422])
def test_a_recording_that_is_refused_is_not_sent_again(
    status: int, endpoint: EmbeddingServer, recording: Path, naps: Naps
) -> None:
    endpoint.fail(ROUTE, status)
    assert reason_of(recording, settings_for(endpoint)) is Reason.NO_TRANSCRIPT
    assert len(endpoint.requests) == 1


@pytest.mark.parametrize("status", [0, 408, 429, 500, 503])
def test_an_endpoint_that_fails_is_asked_again(
    status: int, endpoint: EmbeddingServer, recording: Path, naps: Naps
) -> None:
    endpoint.fail(ROUTE, status, times=2, headers={"Retry-After": "7"})
    assert transcribe(recording, "", settings_for(endpoint))
    assert len(naps.seconds) == 2 and (status == 0 or min(naps.seconds) >= 7)


@pytest.mark.parametrize("status", [0, 500])
def test_an_endpoint_that_goes_on_failing_is_left_for_another_time(
    status: int, endpoint: EmbeddingServer, recording: Path
) -> None:
    endpoint.fail(ROUTE, status, times=10)
    with pytest.raises(TranscriptionFailed):
        transcribe(recording, "", settings_for(endpoint))
    assert len(endpoint.requests) == 3


def test_a_pause_that_is_too_long_is_not_sat_out(endpoint: EmbeddingServer, recording: Path, naps: Naps) -> None:
    endpoint.fail(ROUTE, 429, headers={"Retry-After": "3600"})
    with pytest.raises(TranscriptionFailed, match="429"):
        transcribe(recording, "", settings_for(endpoint))
    assert naps.seconds == []


@pytest.mark.parametrize(("status", "code"), [(401, ""), (403, ""), (404, ""), (429, "insufficient_quota")])
def test_a_setting_or_an_account_that_is_wrong_is_no_fact_of_the_recording(
    status: int, code: str, endpoint: EmbeddingServer, recording: Path
) -> None:
    endpoint.fail(ROUTE, status, code=code, message="Incorrect key sk-of-recordings")
    with pytest.raises(TranscriptionFailed) as failed:
        transcribe(recording, "", settings_for(endpoint))
    assert "Incorrect key ***" in str(failed.value) and len(endpoint.requests) == 1


@pytest.mark.parametrize(
    "wrong",
    [
        [{"start": 0, "end": 1}],
        [segment(-1, 2, "a")],
        [segment(0, float("inf"), "a")],
        [segment(0, 1, 7)],  # type: ignore[arg-type]
        ["a"],
    ],
)
def test_an_answer_that_is_no_transcript_is_a_failure(
    wrong: list[Any], endpoint: EmbeddingServer, recording: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(EmbeddingServer, "_transcribe", lambda *_: {"text": "비밀", "segments": wrong})
    with pytest.raises(TranscriptionFailed) as failed:
        transcribe(recording, "", settings_for(endpoint))
    assert "비밀" not in str(failed.value)


def test_an_answer_that_does_not_fit_into_memory_is_a_failure(
    endpoint: EmbeddingServer, recording: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transcription, "_MOST_ANSWERED", 1000)
    endpoint.spoken = [segment(0, 1, "a" * 2000)]
    with pytest.raises(TranscriptionFailed, match="too large"):
        transcribe(recording, "", settings_for(endpoint))
    assert len(endpoint.requests) == 1


def test_a_transcript_is_of_its_model(endpoint: EmbeddingServer) -> None:
    assert transcript_key(settings_for(endpoint)) == "transcript/1+whisper-1"
    assert transcript_key(Settings()) == "none/1"
