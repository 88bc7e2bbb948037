"""The tool for topics: those of a workspace's taxonomy, with how many documents each has."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import BaseModel, Field

from arcana_pipelines.db import query
from arcana_pipelines.db.engine import Database
from arcana_pipelines.mcp import sizes
from arcana_pipelines.mcp.answers import NOTICE, largest
from arcana_pipelines.retrieval.results import TopicFacet

# Listed where there are topics alone.
TOOLS = frozenset({"list_topics"})
_PATH_TOKENS = 200  # what is longer is named by its id
_ARE_THERE = (
    "SELECT EXISTS (SELECT FROM taxonomy_version v JOIN workspace w USING (workspace_id) "
    "WHERE v.state = 'active' AND w.slug = ANY (%s) AND w.status <> 'deleting')"
)


class ListedTopic(BaseModel):
    """A topic."""

    topic: str = Field(description="For `topic`, here and of `search_with_filters`.")
    documents: int = Field(description="About it or anything below it. One counts in each of its topics.")
    has_children: bool = Field(description="Whether there are topics below it.")


class TopicsAnswer(BaseModel):
    """Topics directly below one, or the uppermost, most documents first."""

    notice: str = NOTICE
    topics: list[ListedTopic]
    left_out: int = Field(description="How many more there are than fit into an answer.")


def topics_answer(topics: Sequence[TopicFacet]) -> TopicsAnswer:
    """As many of them as fit into `sizes.SEARCH_TOKENS`."""
    listed = [
        ListedTopic(
            topic=each.path if sizes.tokens_in_json(each.path) <= _PATH_TOKENS else each.node_id,
            documents=each.documents,
            has_children=each.has_children,
        )
        for each in topics
    ]

    def made(most: int) -> TopicsAnswer:
        return TopicsAnswer(topics=listed[:most], left_out=len(listed) - most)

    return largest(made, len(listed))


def are_there(database: Database, slugs: Sequence[str]) -> bool:
    """Whether one of the workspaces has a taxonomy, and it may be read: a role of one's own may have no right to."""
    with database.connection() as connection:
        may = query.scalar(connection, "SELECT has_table_privilege('taxonomy_version', 'SELECT')")
        return bool(may and query.scalar(connection, _ARE_THERE, [list(slugs)]))
