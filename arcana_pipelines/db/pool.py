"""Connections that are kept for the next who needs one."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress

import psycopg
from psycopg.pq import TransactionStatus

from arcana_pipelines.db.interruptible import InterruptibleConnection

PATIENCE_SECONDS = 30.0
FRESH_SECONDS = 1.0


class NoneIsFree(Exception):
    """All connections were in use for too long."""


class Pool:
    """Lends connections to threads, each to one at a time.

    Attributes:
        patience: how many seconds a thread waits for one.
    """

    def __init__(self, connect: Callable[[], InterruptibleConnection], kept: int, most: int) -> None:
        """
        Args:
            connect: makes a connection in autocommit.
            kept: so many stay open while nobody needs them.
            most: so many are lent at once.
        """
        self.patience = PATIENCE_SECONDS
        self._connect = connect
        self._kept = kept
        self._places = threading.BoundedSemaphore(most)
        self._idle: deque[InterruptibleConnection] = deque()
        # With how often the pool had been closed when each was lent.
        self._lent: dict[InterruptibleConnection, int] = {}
        self._closings = 0

    @property
    def lent(self) -> int:
        """Connections in use."""
        return len(self._lent)

    def take(self) -> InterruptibleConnection:
        """A connection that answers, until it is given back.

        Raises:
            NoneIsFree: none was given back for too long.
        """
        if not self._places.acquire(timeout=self.patience):
            raise NoneIsFree
        try:
            connection = self._idle_one() or self._connect()
        except BaseException:
            self._places.release()
            raise
        self._lent[connection] = self._closings
        return connection

    def give_back(self, connection: InterruptibleConnection) -> None:
        """Keep a connection for the next, or close it: one that is left in a transaction, or after `close`."""
        is_current = self._lent.pop(connection) == self._closings
        try:
            is_idle = connection.info.transaction_status is TransactionStatus.IDLE
            connection.given_back_at = time.monotonic()
            if is_current and is_idle and len(self._idle) < self._kept:
                self._idle.append(connection)
            else:
                connection.close()
        finally:
            self._places.release()

    def close(self) -> None:
        """Close those that nobody uses; the others are closed when they are given back. Who takes one later gets a new
        one.
        """
        self._closings += 1
        while (connection := self._next()) is not None:
            connection.close()

    def abort(self) -> None:
        """Let whoever waits for the server find the connection ended: it may be one that never answers."""
        for connection in tuple(self._lent):
            with suppress(OSError, psycopg.Error), socket.socket(fileno=os.dup(connection.fileno())) as ended:
                ended.shutdown(socket.SHUT_RDWR)

    def _idle_one(self) -> InterruptibleConnection | None:
        """One that was kept and answers: a server that was restarted leaves dead ones.

        Of one that was in use just now it is enough that nothing came from the server: an end would have.
        """
        while (connection := self._next()) is not None:
            is_fresh = time.monotonic() - connection.given_back_at < FRESH_SECONDS
            if is_fresh and not connection.has_news():
                return connection
            try:
                connection.execute("")
            except psycopg.Error:
                connection.close()
            else:
                return connection
        return None

    def _next(self) -> InterruptibleConnection | None:
        try:
            return self._idle.pop()
        except IndexError:
            return None
