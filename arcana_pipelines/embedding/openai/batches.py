"""OpenAI's Batch API (https://platform.openai.com/docs/guides/batch): half the price, answers within a day."""

from __future__ import annotations

import itertools
import json
import logging
import re
import tempfile
from collections.abc import Iterator, Mapping
from functools import partial
from typing import IO, Any, Literal

import openai
from openai.types import Batch

from arcana_pipelines.embedding.answers import checked, numbers, sane_tokens
from arcana_pipelines.embedding.openai.client import OpenAIClient
from arcana_pipelines.embedding.packing import MOST_TOKENS
from arcana_pipelines.embedding.protocol import BatchAnswer, SentBatch
from arcana_pipelines.errors import EmbeddingFailed

log = logging.getLogger(__name__)

_KEY = "arcana_batch"
_ID = re.compile(r"[\w.:-]{1,200}")
# Of one line of answers; a vector of 3,072 numbers is 70 kB as text.
MOST_LINE_BYTES = 2**20
# An account's newest batches that are looked through for ours.
_LISTED = 1000
_ENDED: Mapping[str, Literal["done", "failed"]] = {
    "completed": "done",
    "failed": "failed",
    "expired": "failed",
    "cancelled": "failed",
}


class OpenAIBatches:
    """Batches for one model (see `Batches`). One line holds one text, named by its hash."""

    most_texts = 50_000
    most_bytes = 200_000_000

    def __init__(self, client: OpenAIClient, body: Mapping[str, Any], dimensions: int) -> None:
        self._client = client
        self._body = dict(body)
        self._dimensions = dimensions

    def encode(self, text_hash: bytes, text: str) -> bytes:
        """One request (see `Batches.encode`)."""
        request = {
            "custom_id": text_hash.hex(),
            "method": "POST",
            "url": "/v1/embeddings",
            "body": {**self._body, "input": text},
        }
        return json.dumps(request, ensure_ascii=False).encode() + b"\n"

    def find(self, key: str) -> SentBatch | None:
        """Look for a batch by its key (see `Batches.find`)."""
        return self._client.ask(lambda sdk: self._find(sdk, key), "the list of batches")

    def send(self, file: IO[bytes], key: str) -> SentBatch:
        """Upload a file and start its batch (see `Batches.send`)."""

        def request(sdk: openai.OpenAI) -> SentBatch:
            # The answer to an earlier attempt may have been lost on its way.
            sent = self._find(sdk, key)
            if sent is not None:
                return sent
            file.seek(0)
            uploaded = sdk.files.create(file=("embeddings.jsonl", file), purpose="batch")
            return _sent(
                sdk.batches.create(
                    input_file_id=uploaded.id,
                    endpoint="/v1/embeddings",
                    completion_window="24h",
                    metadata={_KEY: key},
                )
            )

        return self._client.ask(request, "a batch")

    def status(self, batch_id: str) -> SentBatch:
        """Ask for a batch (see `Batches.status`); one that the account does not have counts as failed."""

        def request(sdk: openai.OpenAI) -> SentBatch:
            try:
                return _sent(sdk.batches.retrieve(batch_id))
            except openai.NotFoundError:
                return SentBatch(batch_id, "failed", "the provider does not know it")

        return self._client.ask(request, f"the batch {batch_id}")

    def answers(self, batch: SentBatch) -> Iterator[BatchAnswer]:
        """Download and read the answers (see `Batches.answers`)."""
        for file_id in batch.answers:
            with tempfile.TemporaryFile() as file:
                self._client.ask(partial(_download, file_id, file), f"the file {file_id}", self._client.files)
                file.seek(0)
                while line := file.readline(MOST_LINE_BYTES):
                    if (answer := self._answer(line)) is not None:
                        yield answer

    def delete(self, batch: SentBatch) -> None:
        """Delete its files (see `Batches.delete`)."""

        def request(sdk: openai.OpenAI) -> None:
            for file_id in batch.files:
                try:
                    sdk.files.delete(file_id)
                except openai.NotFoundError:
                    continue

        self._client.ask(request, f"the files of {batch.batch_id}")

    def _find(self, sdk: openai.OpenAI, key: str) -> SentBatch | None:
        listed = itertools.islice(sdk.batches.list(limit=100), _LISTED)
        return next((_sent(batch) for batch in listed if (batch.metadata or {}).get(_KEY) == key), None)

    def _answer(self, line: bytes) -> BatchAnswer | None:
        """One line of a file of answers; None for what is none. Its text counts as one of which nothing was said."""
        try:
            said = json.loads(line)
            text_hash = bytes.fromhex(said["custom_id"])
            response = said.get("response") or {}
            status, body = response.get("status_code"), response.get("body") or {}
        except (ValueError, TypeError, LookupError, AttributeError, RecursionError):
            if line.strip():
                log.warning("a line of a batch's answers is not an answer")
            return None
        try:
            if status == 200:
                tokens = sane_tokens((body.get("usage") or {}).get("total_tokens"), MOST_TOKENS)
                given = numbers(body["data"][0]["embedding"])
                (vector,) = checked([given], [""], self._dimensions, self._body["model"])
                return BatchAnswer(text_hash, vector, tokens)
            if status in (400, 413, 422):
                message = (body.get("error") or {}).get("message")
                message = message[:300] if isinstance(message, str) else ""
                return BatchAnswer(text_hash, refused=f"HTTP {status} {message}".strip())
        except (EmbeddingFailed, LookupError, TypeError, ValueError, AttributeError, RecursionError):
            pass
        return BatchAnswer(text_hash)


def _download(file_id: str, file: IO[bytes], sdk: openai.OpenAI) -> None:
    file.seek(0)
    file.truncate()
    with sdk.files.with_streaming_response.content(file_id) as response:
        for part in response.iter_bytes():
            file.write(part)


def _sent(batch: Batch) -> SentBatch:
    state: Literal["waiting", "done", "failed"] = _ENDED.get(batch.status, "waiting")
    reasons = [error.message for error in (batch.errors.data if batch.errors else None) or [] if error.message]
    answers = tuple(file for file in (batch.output_file_id, batch.error_file_id) if file)
    reason = "; ".join([batch.status, *reasons])[:300] if state == "failed" else ""
    if not all(isinstance(each, str) and _ID.fullmatch(each) for each in (batch.id, batch.input_file_id, *answers)):
        raise ValueError("an id of the batch or of its files is malformed")
    return SentBatch(batch.id, state, reason, answers, (batch.input_file_id, *answers))
