"""A Notion that lives in this process: a workspace to change, and an HTTP server that shows it.

    world = NotionWorld()
    page = world.add_page("Handbook", blocks="# Welcome\\n\\nRead this first.")
    with serve(world) as server:
        client = notion_client.Client(auth=world.token, base_url=server.base_url, notion_version="2026-03-11")

It answers reads only, from facts recorded of the real API, not from its documentation alone. Try it from a
shell with `python -m arcana_pipelines.testing.notion_server`.
"""

from arcana_pipelines.testing.notion_server.http.server import NotionServer, serve
from arcana_pipelines.testing.notion_server.model import blocks
from arcana_pipelines.testing.notion_server.world.seeding import seed_world
from arcana_pipelines.testing.notion_server.world.world import NotionWorld

__all__ = ["NotionServer", "NotionWorld", "blocks", "seed_world", "serve"]
