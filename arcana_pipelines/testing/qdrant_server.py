"""A stand-in of a Qdrant server, over real HTTP: the calls that a target makes, answered exactly, or not at all.

    with QdrantServer() as server:
        connect(server.address, None)

Vectors of cosine collections are kept at unit length, as the original does. What it is to do instead of answering can
be said (`server.faults`): a status, or 0 for a connection that ends after the request was carried out.
https://api.qdrant.tech/api-reference
"""

from __future__ import annotations

import json
import threading
import time
from typing import Any
from urllib.parse import urlsplit

import numpy as np

from arcana_pipelines.testing.http_server import Answer, AnsweringServer, Request

# https://github.com/qdrant/qdrant/blob/master/config/config.yaml: service.max_request_size_mb
MOST_BYTES = 32 * 1024 * 1024

_Json = dict[str, Any]


class _Refused(Exception):
    def __init__(self, status: int, said: str) -> None:
        super().__init__(said)
        self.status = status


class QdrantServer(AnsweringServer):
    """Serves on a free port of the loopback interface until closed.

    Attributes:
        requests: method and path of all requests so far.
        faults: for the next requests, one after the other: a status that is answered without doing anything; 0: it is
            done, and the connection ends without an answer; None: nothing is wrong.
        delay: seconds before each answer.
        api_key: what requests have to bring; None: nothing.
    """

    def __init__(self, api_key: str | None = None) -> None:
        self.requests: list[tuple[str, str]] = []
        self.faults: list[int | None] = []
        self.delay = 0.0
        self.api_key = api_key
        self._collections: dict[str, _Json] = {}
        self._aliases: dict[str, str] = {}
        self._lock = threading.Lock()
        super().__init__()

    def answer(self, request: Request) -> Answer | None:
        """What the original answers."""
        path = urlsplit(request.target).path
        time.sleep(self.delay)
        with self._lock:
            self.requests.append((request.method, path))
            if self.api_key is not None and request.headers.get("api-key") != self.api_key:
                return Answer(401, b"Must provide an API key or an Authorization bearer token")
            fault = self.faults.pop(0) if self.faults else None
            if fault:
                return _refusal(fault, "told to")
            if len(request.body) > MOST_BYTES:
                return _refusal(413, f"JSON payload ({len(request.body)} bytes) is larger than allowed")
            body = json.loads(request.body) if request.body else {}
            try:
                result = self._done(request.method, path.strip("/").split("/"), body)
            except _Refused as refused:
                return _refusal(refused.status, str(refused))
            if fault == 0:
                return None
            if path == "/":
                return Answer(200, json.dumps(result).encode())
            return Answer(200, json.dumps({"result": result, "status": "ok", "time": 0}).encode())

    def _done(self, method: str, path: list[str], body: _Json) -> Any:
        match method, path:
            case "GET", [""]:
                return {"title": "qdrant - vector search engine", "version": "1.0.0-stand-in"}
            case "GET", ["aliases"]:
                named = [{"alias_name": alias, "collection_name": name} for alias, name in self._aliases.items()]
                return {"aliases": named}
            case "POST", ["collections", "aliases"]:
                return self._name(body["actions"])
            case "GET", ["collections", name, "exists"]:
                return {"exists": name in self._collections}
            case "PUT", ["collections", name]:
                if name in self._collections:
                    raise _Refused(409, f"Wrong input: Collection `{name}` already exists!")
                self._collections[name] = {"size": body["vectors"]["size"], "points": {}}
                return True
            case "DELETE", ["collections", name]:
                self._aliases = {alias: of for alias, of in self._aliases.items() if of != name}
                return self._collections.pop(name, None) is not None
            case _, ["collections", name, *rest]:
                if name not in self._collections:
                    raise _Refused(404, f"Not found: Collection `{name}` doesn't exist!")
                return self._in_collection(method, self._collections[name], rest, body)
        raise _Refused(404, f"{method} /{'/'.join(path)}")

    def _name(self, actions: list[_Json]) -> bool:
        for action in actions:
            if "delete_alias" in action:
                self._aliases.pop(action["delete_alias"]["alias_name"], None)
            else:
                named = action["create_alias"]
                if named["collection_name"] not in self._collections:
                    raise _Refused(404, f"Not found: Collection `{named['collection_name']}` doesn't exist!")
                self._aliases[named["alias_name"]] = named["collection_name"]
        return True

    def _in_collection(self, method: str, collection: _Json, path: list[str], body: _Json) -> Any:
        points: dict[int, _Json] = collection["points"]
        match method, path:
            case "PUT", ["index"]:
                return {"operation_id": 0, "status": "completed"}
            case "PUT", ["points"]:
                batch = body["batch"]
                vectors = [np.asarray(vector, dtype=np.float32) for vector in batch["vectors"]]
                for vector in vectors:
                    if len(vector) != collection["size"]:
                        expected = collection["size"]
                        raise _Refused(
                            400, f"Wrong input: Vector dimension error: expected dim: {expected}, got {len(vector)}"
                        )
                for id, vector, payload in zip(batch["ids"], vectors, batch["payloads"], strict=True):
                    length = float(np.linalg.norm(vector)) or 1.0
                    points[id] = {"vector": vector / length, "payload": payload}
                return {"operation_id": 0, "status": "completed"}
            case "POST", ["points", "delete"]:
                gone = body["points"] if "points" in body else self._found(points, body["filter"])
                for id in gone:
                    points.pop(id, None)
                return {"operation_id": 0, "status": "completed"}
            case "POST", ["points", "count"]:
                return {"count": len(points)}
            case "POST", ["points", "scroll"]:
                rest = [id for id in sorted(points) if body.get("offset") is None or id >= body["offset"]]
                page, more = rest[: body["limit"]], rest[body["limit"] :]
                return {
                    "points": [self._told(points, id, body) for id in page],
                    "next_page_offset": next(iter(more), None),
                }
            case "POST", ["points"]:
                return [self._told(points, id, body) for id in body["ids"] if id in points]
            case "POST", ["points", "query"]:
                asked = np.asarray(body["query"]["nearest"], dtype=np.float32)
                if len(asked) != collection["size"]:
                    raise _Refused(400, "Wrong input: Vector dimension error")
                asked = asked / (float(np.linalg.norm(asked)) or 1.0)
                scored = [(float(point["vector"] @ asked), id) for id, point in points.items()]
                best = sorted(scored, key=lambda each: -each[0])[: body["limit"]]
                return {"points": [{"id": id, "version": 0, "score": score} for score, id in best]}
        raise _Refused(404, f"{method} {'/'.join(path)}")

    @staticmethod
    def _found(points: dict[int, _Json], condition: _Json) -> list[int]:
        """Those of a document, but for some: the one filter that a target uses."""
        (of_document,) = condition["must"]
        kept = {id for each in condition.get("must_not") or () for id in each["has_id"]}
        value = of_document["match"]["value"]
        return [id for id, point in points.items() if point["payload"].get("document_id") == value and id not in kept]

    @staticmethod
    def _told(points: dict[int, _Json], id: int, body: _Json) -> _Json:
        point, wanted = points[id], body.get("with_payload")
        payload = {key: point["payload"].get(key) for key in wanted} if isinstance(wanted, list) else None
        vector = point["vector"].tolist() if body.get("with_vector") else None
        return {"id": id, "payload": payload, "vector": vector}


def _refusal(status: int, said: str) -> Answer:
    headers = {"Content-Type": "application/json", **({"Retry-After": "1"} if status == 429 else {})}
    return Answer(status, json.dumps({"status": {"error": said}, "time": 0}).encode(), headers)
