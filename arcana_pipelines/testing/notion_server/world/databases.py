"""Databases, data sources and their schemas: the world's methods that make and change them."""

from __future__ import annotations

from collections.abc import Mapping

from arcana_pipelines.testing.notion_server.model import properties
from arcana_pipelines.testing.notion_server.model.access import AccessChanges
from arcana_pipelines.testing.notion_server.model.blocks import emoji
from arcana_pipelines.testing.notion_server.model.objects import (
    Database,
    DatabaseIds,
    DataSource,
    Json,
    Node,
    Page,
)
from arcana_pipelines.testing.notion_server.model.properties import PropertySpec
from arcana_pipelines.testing.notion_server.model.rich_text import TextLike, rich
from arcana_pipelines.testing.notion_server.world.content import ContentEditing


class DatabaseChanges(ContentEditing, AccessChanges):
    """Making databases and changing their columns."""

    def add_database(
        self,
        title: TextLike,
        parent: str | None = None,
        schema: Mapping[str, PropertySpec] | None = None,
        *,
        icon: str | Json | None = None,
        inline: bool = False,
        shared: bool | None = None,
    ) -> DatabaseIds:
        """A database with one data source; `schema` maps column names to types (see `properties.declare`)."""
        with self.lock:
            above = None if parent is None else self.node(parent, Node)
            fields = self.new_node(above)
            if above is None:
                fields["shared"] = True if shared is None else shared
            else:
                fields["shared"] = shared
            database = Database(**fields, title=rich(title), icon=emoji(icon), is_inline=inline)
            self.put(database)
            self._attach(database, above)
            source_id = self.add_data_source(database.id, title, schema)
            if above is not None:
                self.touch(above, self.acting_user)
            return DatabaseIds(source_id, database.id)

    def add_data_source(
        self, database_id: str, title: TextLike, schema: Mapping[str, PropertySpec] | None = None
    ) -> str:
        """One more table in a database; returns its id."""
        with self.lock:
            database = self.node(database_id, Database)
            source = DataSource(**self.new_node(database), title=rich(title))
            columns = dict(schema or {})
            if "title" not in (spec if isinstance(spec, str) else spec["type"] for spec in columns.values()):
                columns = {"Name": "title", **columns}
            for name, spec in columns.items():
                self._add_column(source, name, spec)
            self.put(source)
            database.data_source_ids.append(source.id)
            self.changed(database)
            self.changed(source)
            return source.id

    def add_property(self, data_source_id: str, name: str, spec: PropertySpec) -> None:
        """A new column."""
        with self.lock:
            source = self.node(data_source_id, DataSource)
            self._add_column(source, name, spec)
            self._schema_changed(source)

    def rename_property(self, data_source_id: str, name: str, new_name: str) -> None:
        """Rename a column; its id stays."""
        with self.lock:
            source = self.node(data_source_id, DataSource)
            column = source.schema[name]
            column.name = new_name
            source.schema = {declared.name: declared for declared in source.schema.values()}
            for row in source.children:
                values = self.node(row, Page).values
                if name in values:
                    values[new_name] = values.pop(name)
            self._schema_changed(source)

    def remove_property(self, data_source_id: str, name: str) -> None:
        """Drop a column and its values."""
        with self.lock:
            source = self.node(data_source_id, DataSource)
            del source.schema[name]
            self._schema_changed(source)

    def _add_column(self, source: DataSource, name: str, spec: PropertySpec) -> None:
        if not isinstance(spec, str) and spec["type"] == "relation":
            target = self.node(spec["data_source_id"], DataSource)
            spec = {**spec, "database_id": target.parent.id}
        source.schema[name] = properties.declare(name, spec, self.ids)

    def _schema_changed(self, source: DataSource) -> None:
        self.touch(source, self.acting_user)
        for row in source.children:
            self.changed(self.nodes[row])
