"""What `dg scaffold defs arcana_pipelines.ArcanaWorkspaces NAME` writes: a file that loads, the rest as comments."""

from __future__ import annotations

from typing import Any

import dagster as dg

from arcana_pipelines.workspaces.workspaces import SLUG

TEMPLATE = """\
type: {type_name}

attributes:
  workspaces:
    # The slug names the workspace everywhere (partition, commands, searches) and stays for good.
    - slug: {slug}
      # name: A name for people
      source:
        type: notion
        # The NAME of the variable with the token. The token itself never stands in YAML.
        token_variable: NOTION_TOKEN
        # Index open comments too; one more request a page.
        # comments: true
      # How its index is made. What is left out is as the settings of the installation say.
      # index:
      #   embedding_model: text-embedding-3-small
      #   dimensions: 1536
      #   chunk_tokens: 256
      #   overlap_tokens: 0
      #   ann: auto  # auto, none, hnsw or ivfflat

    # Notion's "Markdown & CSV" export needs no token. A relative path begins at the folder of this file.
    # - slug: {slug}-export
    #   source:
    #     type: notion_export
    #     path: ../../exports/handbook.zip

    # An account of Freshdesk. The variable FRESHDESK_API_KEY holds its key.
    # - slug: {slug}-support
    #   source:
    #     type: freshdesk
    #     domain: acme
    #     private_notes: true
    #     articles: true

  # When things happen by the clock. What is left out is as the variables SCHEDULE_… of the installation say.
  # schedules:
  #   audit: "0 3 * * *"
  #   quality: "0 5 * * *"
  #   check_installation: "30 5 * * *"
  #   maintenance: "0 6 * * *"
  #   time_zone: Asia/Seoul

  # Before the key of each asset. The command line needs the same in ARCANA_KEY_PREFIX.
  # key_prefix: knowledge
"""


class WorkspacesScaffolder(dg.Scaffolder[Any]):
    """Writes YAML with every attribute in it; the folder's name becomes the first workspace's slug if it can be one."""

    def scaffold(self, request: dg.ScaffoldRequest[Any]) -> None:
        """Write `defs.yaml`, or append to the file that is given."""
        if request.scaffold_format == "python":
            dg.scaffold_component(request, {})
            return
        folder = request.target_path.parent if request.append else request.target_path
        text = TEMPLATE.format(type_name=request.type_name, slug=folder.name if SLUG.fullmatch(folder.name) else "acme")
        if request.append:
            with request.target_path.open("a", encoding="utf-8") as file:
                file.write(f"---\n{text}")
        else:
            (request.target_path / "defs.yaml").write_text(text, encoding="utf-8")
