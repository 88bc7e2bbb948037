"""The HTTP server of the API: programs with keys, behind a proxy that has the certificate."""

from __future__ import annotations

import socket

import uvicorn
from fastapi import FastAPI

# Requests and open connections at once; more are answered by 503 at once. Each waits for one of the pool's connections.
MOST_CONNECTIONS = 500
KEPT_SECONDS = 30
# How long a stop waits for what is being answered.
STOP_SECONDS = 20


def server_of(app: FastAPI) -> uvicorn.Server:
    """The server of the API, which does not run yet."""
    config = uvicorn.Config(
        app,
        ws="none",
        lifespan="on",
        limit_concurrency=MOST_CONNECTIONS,
        timeout_keep_alive=KEPT_SECONDS,
        timeout_graceful_shutdown=STOP_SECONDS,
        server_header=False,
        log_level="warning",
        access_log=False,
    )
    return uvicorn.Server(config)


def serve(app: FastAPI, sock: socket.socket) -> None:
    """Serve until interrupted; what is being answered is answered."""
    server_of(app).run(sockets=[sock])
