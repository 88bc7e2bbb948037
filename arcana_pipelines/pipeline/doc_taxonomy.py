"""The stage `doc_taxonomy`: documents get the topics that came with them, that rules find, or that are nearest."""

from __future__ import annotations

from arcana_pipelines.classification.classify import ClassificationReport, classify
from arcana_pipelines.embedding.prices import PricingPolicy
from arcana_pipelines.pipeline.lookups import lookups_noted
from arcana_pipelines.pipeline.session import Session


def classify_documents(session: Session) -> ClassificationReport:
    """Classify what was not, or not so, where the workspace has an active taxonomy. Where not, that is all it costs."""
    with lookups_noted(session.connection, session.generation):
        return classify(
            session.connection,
            session.workspace.workspace_id,
            session.open_embedder,
            PricingPolicy.of(session.settings),
            session.settings.batch_size,
        )
