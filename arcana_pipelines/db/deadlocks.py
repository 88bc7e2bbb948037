"""Transactions of which each waited for the other: PostgreSQL ended one, which is done again."""

from __future__ import annotations

from psycopg.errors import DeadlockDetected
from tenacity import retry, retry_if_exception_type, stop_after_attempt

# Around a function that is one transaction, or a part of the caller's, and nothing besides.
again_after_deadlock = retry(retry=retry_if_exception_type(DeadlockDetected), stop=stop_after_attempt(5), reraise=True)
