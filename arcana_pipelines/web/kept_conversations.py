"""How far conversations are, kept so that a further question need not read them.

What is kept is a guess: whoever searches with it looks, when the question is added to the conversation, whether it was
so, and in the same transaction. So nothing has to be taken back when a conversation goes on elsewhere, is deleted or is
over.
"""

from __future__ import annotations

import threading
from dataclasses import asdict
from uuid import UUID

from cachetools import LRUCache
from pydantic import TypeAdapter

import arcana_pipelines
from arcana_pipelines.caching.caches import Cache, Tenant
from arcana_pipelines.conversations.conversations import Standing
from arcana_pipelines.keys.access import Access

# Whose workspaces are known without being read.
_MOST = 10_000
_STANDING = TypeAdapter(Standing)


class KeptConversations:
    """The level `sessions`. Safe to share between threads."""

    def __init__(self, cache: Cache) -> None:
        self._cache = cache
        self._lock = threading.Lock()
        # By key and conversation, which never moves to another workspace. None: its questions come to other servers,
        # too, which share no cache with this one: a guess would be wrong each time, and cost a search.
        self._tenants: LRUCache[tuple[str, UUID], Tenant | None] = LRUCache(_MOST)

    def standing(self, access: Access, conversation_id: UUID) -> Standing | None:
        """How far a conversation was when this key's last question was added; None: that has to be read."""
        tenant = self._tenant(access, conversation_id)
        if tenant is None:
            self._cache.note("miss")
            return None
        held = self._cache.looked_up(self._key(tenant, access, conversation_id))
        return None if held is None else _STANDING.validate_python(held)

    def keep(self, access: Access, conversation_id: UUID, standing: Standing) -> None:
        """After a question was added to it."""
        tenant = Tenant(access.company_id, standing.platform, standing.workspace_id)
        with self._lock:
            if self._tenants.setdefault((access.key_id, conversation_id), tenant) is None:
                return
        self._cache.put(self._key(tenant, access, conversation_id), asdict(standing))

    def was_wrong(self, access: Access, conversation_id: UUID) -> None:
        """It was not so any more."""
        self._cache.note("stale")
        self.drop(access, conversation_id)
        if self._cache.is_at_hand:
            with self._lock:
                self._tenants[access.key_id, conversation_id] = None

    def drop(self, access: Access, conversation_id: UUID) -> None:
        """Keep nothing of one that is deleted."""
        if (tenant := self._tenant(access, conversation_id)) is not None:
            self._cache.put(self._key(tenant, access, conversation_id), None)

    def _tenant(self, access: Access, conversation_id: UUID) -> Tenant | None:
        with self._lock:
            return self._tenants.get((access.key_id, conversation_id))

    def _key(self, tenant: Tenant, access: Access, conversation_id: UUID) -> str:
        return self._cache.key(tenant, access.key_id, conversation_id, arcana_pipelines.__version__)
