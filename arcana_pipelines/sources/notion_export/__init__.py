"""The offline source: Notion's own "Markdown & CSV" export, as a folder or a zip."""

from arcana_pipelines.sources.notion_export.export import validate_export
from arcana_pipelines.sources.notion_export.source import NotionExportSource

__all__ = ["NotionExportSource", "validate_export"]
