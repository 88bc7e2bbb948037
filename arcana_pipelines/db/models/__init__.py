"""The schema, described once. The migrations create it; a test compares the two with a live database.

Reads and writes of sets do not go through these classes: they are SQL beside their callers.
"""

from arcana_pipelines.db.models import (
    audit,
    company,
    conversation,
    document,
    embedding,
    evaluation,
    file,
    index,
    learning,
    ledger,
    operations,
    rules,
    target,
    taxonomy,
    ticket,
    usage,
    workspace,
)
from arcana_pipelines.db.models.base import Base

__all__ = [
    "Base",
    "audit",
    "company",
    "conversation",
    "document",
    "embedding",
    "evaluation",
    "file",
    "index",
    "learning",
    "ledger",
    "operations",
    "rules",
    "target",
    "taxonomy",
    "ticket",
    "usage",
    "workspace",
]
