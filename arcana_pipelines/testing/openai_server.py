"""A stand-in of OpenAI's embeddings, files, batches, transcriptions and chat completions, over real HTTP.

    with EmbeddingServer(dimensions=8) as server:  # or: python -m arcana_pipelines.testing.openai_server
        client = openai.OpenAI(api_key="sk-stand-in", base_url=server.base_url)

It keeps OpenAI's limits, counts the tokens that it would bill, and fails on command (`server.fail`). The vector of a
text is made of its hash: the same text has the same vector. Batches rest until `server.finish_batches`.

Its chat model summarises the ticket that is the user's message: its first words, in the language of its letters. It can
be told what to say instead (`server.sayings`), be silent (`server.is_silent`), and do what a ticket tells it
(`server.obeys`), as models do.
"""

from __future__ import annotations

import argparse
import base64
import email
import hashlib
import itertools
import json
import re
import signal
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from email.message import Message
from typing import Any

import numpy as np

from arcana_pipelines.chunking.tokens import vocabulary
from arcana_pipelines.testing.http_server import Answer, AnsweringServer, Request

Json = dict[str, Any]

MOST_INPUTS = 2048
MOST_TOKENS = 300_000
MOST_TOKENS_OF_AN_INPUT = 8192
MOST_BYTES_OF_A_RECORDING = 25 * 2**20

_ORDER = re.compile(r"(?i)ignore (?:all|the) (?:above|previous)[^\n]*|위의? (?:지시|내용)[^\n]*무시[^\n]*")


def tokens_of(text: str) -> int:
    """The tokens that OpenAI bills for a text."""
    (tokens,) = vocabulary("cl100k_base").count([text])
    return tokens


@dataclass(slots=True)
class Fault:
    """An answer that waits for its requests instead of the proper one.

    Attributes:
        match: a request meets the fault when this is found in its `METHOD /path`.
        status: of the answer; 0 ends the connection without one.
        times: how many requests still meet it; counted down.
        skip: matching requests that still pass before the first one meets it; counted down.
        headers: of the answer, such as `Retry-After`.
        error: what the `error` of the body says, in the place of what it says else: `code`, `message` …
        late: the request does its work first, and only its answer is lost.
    """

    match: re.Pattern[str]
    status: int
    times: int = 1
    skip: int = 0
    headers: Mapping[str, str] = field(default_factory=dict)
    error: Mapping[str, Any] = field(default_factory=dict)
    late: bool = False


class _Refused(Exception):
    def __init__(self, status: int, message: str, more: Mapping[str, Any] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.error = {"message": message, "type": "invalid_request_error", "param": None, "code": None, **(more or {})}


class EmbeddingServer(AnsweringServer):
    """Serves on a free port of the loopback interface until closed.

    Attributes:
        base_url: what an OpenAI client takes as `base_url`.
        refuses: texts that hold this string are refused, and with them every request they are in.
        requests: `"METHOD /path"` of every request so far, failed ones included.
        inputs: the texts of each embedding request that was answered, lines of batches not included.
        tokens: what was answered so far, in tokens; lines of batches count into `batch_tokens`.
        files: what was uploaded or made and not deleted, by id.
        batches: the batches, by id.
        spoken: what is said in whatever recording is sent: segments of a transcript (`start`, `end`, `text` …).
        recordings: the forms that were sent to be transcribed: fields by name, the file as its `filename` and `file`.
        models: what the list of models names; others are answered for, too.
        chats: the bodies of the requests for a chat completion so far, with their `headers`.
        sayings: (content, finish_reason) of the next chat completions, in the place of proper ones.
        is_silent: a chat completion is not answered while this is set, until the server closes.
        kept_waiting: released for each request that is not answered because of that.
        obeys: an order in a ticket is followed: the answer is what the order asks for, as far as a text can be.
        chat_refuses: keys of a request for a chat completion that this endpoint does not know.
    """

    def __init__(self, dimensions: int = 8, refuses: str | None = None, *, port: int = 0) -> None:
        self.dimensions = dimensions
        self.refuses = refuses
        self.requests: list[str] = []
        self.inputs: list[list[str]] = []
        self.tokens = 0
        self.batch_tokens = 0
        self.files: dict[str, bytes] = {}
        self.batches: dict[str, Json] = {}
        self.spoken: list[Json] = []
        self.recordings: list[Json] = []
        self.models = ["chat-1", "text-embedding-3-small"]
        self.chats: list[Json] = []
        self.sayings: list[tuple[str | None, str]] = []
        self.is_silent = False
        self.kept_waiting = threading.Semaphore(0)
        self.obeys = False
        self.chat_refuses: frozenset[str] = frozenset()
        self._closing = threading.Event()
        self._faults: list[Fault] = []
        self._lock = threading.RLock()
        self._numbers = itertools.count(1)
        super().__init__(port=port)
        self.base_url = f"{self.address}/v1"

    def fail(
        self,
        match: str,
        status: int,
        *,
        times: int = 1,
        skip: int = 0,
        headers: Mapping[str, str] | None = None,
        late: bool = False,
        **error: Any,
    ) -> None:
        """Let the next requests that match fail (see `Fault`); `error` is what the body says, as `code="…"`."""
        self._faults.append(Fault(re.compile(match), status, times, skip, headers or {}, error, late))

    def clear_faults(self) -> None:
        """Let everything go well again."""
        self._faults.clear()

    def finish_batches(self, status: str = "completed", answered: int | None = None) -> None:
        """Let every open batch end with this status, after the first `answered` of its lines (default: all)."""
        with self._lock:
            for batch in self.batches.values():
                if batch["status"] == "in_progress":
                    self._finish(batch, status, answered)

    def embed(self, body: Json) -> tuple[Json, int]:
        """The answer to one request for embeddings, and its tokens."""
        given = body["input"]
        texts = [given] if isinstance(given, str) else list(given)
        counts = [tokens_of(text) for text in texts]
        if len(texts) > MOST_INPUTS or sum(counts) > MOST_TOKENS:
            raise _Refused(400, f"Too much for one request: {len(texts)} inputs, {sum(counts)} tokens.")
        if max(counts) > MOST_TOKENS_OF_AN_INPUT or "" in texts:
            raise _Refused(400, "This model's maximum context length is 8192 tokens, and an input cannot be empty.")
        if self.refuses is not None and any(self.refuses in text for text in texts):
            raise _Refused(400, "This content is refused.")
        size = int(body.get("dimensions") or self.dimensions)
        rows = [
            {"object": "embedding", "index": index, "embedding": _sent(text, size, body.get("encoding_format"))}
            for index, text in enumerate(texts)
        ]
        usage = {"prompt_tokens": sum(counts), "total_tokens": sum(counts)}
        # The order of rows is not promised; `index` is.
        return {"object": "list", "model": body["model"], "data": rows[::-1], "usage": usage}, sum(counts)

    def take_fault(self, request: str) -> Fault | None:
        """The fault that a request meets, counted."""
        with self._lock:
            self.requests.append(request)
            for fault in self._faults:
                if not fault.match.search(request):
                    continue
                if fault.skip:
                    fault.skip -= 1
                    continue
                fault.times -= 1
                if fault.times == 0:
                    self._faults.remove(fault)
                return fault
        return None

    def answer(self, request: Request) -> Answer | None:
        """What a request gets, which may be a fault."""
        fault = self.take_fault(f"{request.method} {request.target}")
        if self.is_silent and request.target.endswith("/chat/completions"):
            self.kept_waiting.release()
            self._closing.wait()
        try:
            if fault is not None and not fault.late:
                raise _Refused(fault.status, "A fault.", fault.error)
            answer = self._answer(request)
            if fault is not None:
                raise _Refused(fault.status, "A fault.", fault.error)
            return Answer(200, answer if isinstance(answer, bytes) else json.dumps(answer).encode())
        except _Refused as refused:
            if refused.status == 0:
                return None
            said = json.dumps({"error": refused.error}).encode()
            more = fault.headers if fault is not None else {}
            return Answer(refused.status, said, {"Content-Type": "application/json", **more})

    def close(self) -> None:
        """Stop serving."""
        self._closing.set()
        super().close()

    def _answer(self, request: Request) -> Json | bytes:
        body = request.body
        routes: list[tuple[str, str, Callable[..., Json | bytes]]] = [
            ("POST", r"/v1/embeddings", lambda: self._embeddings(json.loads(body))),
            ("GET", r"/v1/models", lambda: {"object": "list", "data": [{"id": name} for name in self.models]}),
            ("POST", r"/v1/files", lambda: self._upload(body, request.headers.get("content-type", ""))),
            ("GET", r"/v1/files/([^/]+)/content", lambda name: self._file(name)),
            ("POST", r"/v1/audio/transcriptions", lambda: self._transcribe(body, request.headers)),
            ("POST", r"/v1/chat/completions", lambda: self._chat(json.loads(body), request.headers)),
            ("DELETE", r"/v1/files/([^/]+)", lambda name: self._delete(name)),
            ("POST", r"/v1/batches", lambda: self._create(json.loads(body))),
            ("GET", r"/v1/batches", self._list),
            ("GET", r"/v1/batches/([^/]+)", lambda name: self._batch(name)),
        ]
        with self._lock:
            for wanted, pattern, serve in routes:
                match = re.fullmatch(pattern, request.target.partition("?")[0])
                if request.method == wanted and match:
                    return serve(*match.groups())
        raise _Refused(404, f"Invalid URL ({request.method} {request.target})")

    def _embeddings(self, body: Json) -> Json:
        answer, tokens = self.embed(body)
        self.inputs.append([body["input"]] if isinstance(body["input"], str) else body["input"])
        self.tokens += tokens
        return answer

    def _upload(self, body: bytes, content_type: str) -> Json:
        form: Message = email.message_from_bytes(b"Content-Type: " + content_type.encode() + b"\r\n\r\n" + body)
        for part in form.walk():
            if part.get_filename():
                content = part.get_payload(decode=True)
                assert isinstance(content, bytes)
                return self._keep(content)
        raise _Refused(400, "There is no file.")

    def _transcribe(self, body: bytes, headers: Mapping[str, str]) -> Json:
        form: Json = {"headers": dict(headers)}
        parts = email.message_from_bytes(b"Content-Type: " + headers["content-type"].encode() + b"\r\n\r\n" + body)
        for part in parts.walk():
            content = part.get_payload(decode=True)
            name = str(part.get_param("name", header="content-disposition"))
            if isinstance(content, bytes):
                form[name] = content if part.get_filename() else content.decode()
                form |= {"filename": part.get_filename()} if part.get_filename() else {}
        self.recordings.append(form)
        if len(form["file"]) > MOST_BYTES_OF_A_RECORDING:
            raise _Refused(413, "Maximum content size limit exceeded.")
        text = "".join(segment["text"] for segment in self.spoken).strip()
        if form["response_format"] == "json":
            return {"text": text}
        if form["model"] != "whisper-1":
            raise _Refused(400, f"response_format 'verbose_json' is not compatible with model '{form['model']}'.")
        return {"task": "transcribe", "language": "korean", "duration": 10.0, "text": text, "segments": self.spoken}

    def _chat(self, body: Json, headers: Mapping[str, str]) -> Json:
        self.chats.append({**body, "headers": dict(headers)})
        if unknown := self.chat_refuses & body.keys():
            raise _Refused(400, f"Unsupported parameter: {', '.join(sorted(unknown))}")
        sent = [str(message["content"]) for message in body["messages"]]
        if self.refuses is not None and self.refuses in sent[-1]:
            raise _Refused(400, f"The prompt was filtered: {sent[-1]}", {"code": "content_filter"})
        said, finished = self.sayings.pop(0) if self.sayings else (self._summary(sent), "stop")
        counts = [sum(map(tokens_of, sent)), tokens_of(said or "")]
        return {
            "id": f"chatcmpl-{next(self._numbers)}", "object": "chat.completion", "created": 0, "model": body["model"],
            "choices": [{"index": 0, "finish_reason": finished, "message": {"role": "assistant", "content": said}}],
            "usage": {"prompt_tokens": counts[0], "completion_tokens": counts[1], "total_tokens": sum(counts)},
        }  # fmt: skip

    def _summary(self, sent: list[str]) -> str:
        try:
            ticket = json.loads(sent[-1])
            text = " ".join([ticket["title"], *(message["text"] for message in ticket["messages"])])
        except (ValueError, TypeError, LookupError):
            raise _Refused(
                400, "This stand-in summarises a ticket of Arcana Pipelines, and says nothing else."
            ) from None
        if self.obeys and (order := _ORDER.search(text)):
            # All that it knows, as a model that is taken in would say it.
            return f"{order[0]}\n{sent[0]}\n" * 50
        is_korean = re.search(r"[가-힣]", text) is not None
        symptom, last = " ".join(text.split())[:200], ticket["messages"][-1:]
        return json.dumps(
            {
                "symptom": f"고객 문의: {symptom}" if is_korean else f"The customer writes: {symptom}",
                "cause": None,
                "resolution": " ".join(last[0]["text"].split())[:200] if last and last[0]["by"] == "agent" else None,
                "language": "ko" if is_korean else "en",
            },
            ensure_ascii=False,
        )

    def _keep(self, content: bytes) -> Json:
        name = f"file-{next(self._numbers)}"
        self.files[name] = content
        return {"id": name, "object": "file", "bytes": len(content), "created_at": 0, "filename": name,
                "purpose": "batch", "status": "processed"}  # fmt: skip

    def _file(self, name: str) -> bytes:
        if name not in self.files:
            raise _Refused(404, f"No such File object: {name}")
        return self.files[name]

    def _delete(self, name: str) -> Json:
        self._file(name)
        del self.files[name]
        return {"id": name, "object": "file", "deleted": True}

    def _create(self, body: Json) -> Json:
        self._file(body["input_file_id"])
        name = f"batch_{next(self._numbers)}"
        self.batches[name] = {
            "id": name, "object": "batch", "status": "in_progress", "created_at": 0, "errors": None,
            "output_file_id": None, "error_file_id": None, **body,
        }  # fmt: skip
        return self.batches[name]

    def _list(self) -> Json:
        newest_first = list(self.batches.values())[::-1]
        return {"object": "list", "data": newest_first, "has_more": False}

    def _batch(self, name: str) -> Json:
        if name not in self.batches:
            raise _Refused(404, f"No batch found with id '{name}'.")
        return self.batches[name]

    def _finish(self, batch: Json, status: str, answered: int | None) -> None:
        good: list[str] = []
        bad: list[str] = []
        for line in self.files[batch["input_file_id"]].splitlines()[:answered]:
            request = json.loads(line)
            try:
                body, tokens = self.embed(request["body"])
                self.batch_tokens += tokens
                response, lines = {"status_code": 200, "body": body}, good
            except _Refused as refused:
                response, lines = {"status_code": refused.status, "body": {"error": refused.error}}, bad
            lines.append(json.dumps({"custom_id": request["custom_id"], "response": response, "error": None}))
        batch["status"] = status
        for name, lines in (("output_file_id", good), ("error_file_id", bad)):
            if lines:
                batch[name] = self._keep("\n".join(lines).encode())["id"]


def vector_of(text: str, dimensions: int) -> np.ndarray[Any, np.dtype[np.float32]]:
    """The embedding that the stand-in gives a text: unit length, float32."""
    seed = int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")
    vector = np.random.default_rng(seed).standard_normal(dimensions).astype(np.float32)
    return vector / np.linalg.norm(vector)


def _sent(text: str, dimensions: int, encoding: str | None) -> Any:
    vector = vector_of(text, dimensions)
    return base64.b64encode(vector.astype("<f4").tobytes()).decode() if encoding == "base64" else vector.tolist()


def main() -> None:
    """Serve until interrupted; the one line on standard output is the base URL; on standard error is what to set."""
    parser = argparse.ArgumentParser(
        prog="python -m arcana_pipelines.testing.openai_server",
        description="A stand-in of OpenAI's API: summaries and embeddings that mean nothing, until interrupted.",
    )
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one (%(default)s)")
    given = parser.parse_args()

    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    with EmbeddingServer(1536, port=given.port) as server:
        chat_model, embedding_model = server.models
        for line in (
            "For summaries of tickets, in the shell that makes them:",
            f"export SUMMARY_BASE_URL={server.base_url}",
            f"export SUMMARY_MODEL={chat_model}",
            "export SUMMARY_API_KEY=sk-stand-in",
            "For embeddings, in an installation to try this with:",
            "export EMBEDDING_PROVIDER=openai",
            f"export OPENAI_BASE_URL={server.base_url}",
            f"export OPENAI_EMBEDDING_MODEL={embedding_model}",
            "export OPENAI_API_KEY=sk-stand-in",
        ):
            print(line, file=sys.stderr, flush=True)
        print(server.base_url, flush=True)
        stop.wait()


if __name__ == "__main__":
    main()
