"""Files on pages: uploaded, put into blocks, properties and covers, replaced."""

from __future__ import annotations

from arcana_pipelines.testing.notion_server.model import blocks
from arcana_pipelines.testing.notion_server.model.objects import Block, Json, Page
from arcana_pipelines.testing.notion_server.model.rich_text import TextLike
from arcana_pipelines.testing.notion_server.world.content import ContentEditing

_BUILDERS = {
    "audio": blocks.audio, "file": blocks.file, "image": blocks.image, "pdf": blocks.pdf, "video": blocks.video,
}  # fmt: skip


class FileChanges(ContentEditing):
    """The world's methods that concern files. What is uploaded stays, whatever becomes of the pages."""

    workspace_id: str

    def upload(self, name: str, data: bytes | str) -> Json:
        """Keep a file (a text as UTF-8): what this gives goes into a `files` property, a cover, or a block's `hosted`.

        Uploaded again, it is another file with another address, whatever its name and bytes.
        """
        with self.lock:
            return {"name": name, "type": "file", "file": {"name": name, "key": self.keep_file(name, data)}}

    def add_file(
        self,
        parent_id: str,
        kind: str,
        name: str,
        data: bytes | str,
        caption: TextLike = "",
        *,
        after: str | None = None,
    ) -> str:
        """Add a block of a kind (`file`, `pdf`, `image`, `audio`, `video`) with an uploaded file; returns its id."""
        with self.lock:
            block = _BUILDERS[kind](None, caption, hosted=self.upload(name, data))
            return self.append_blocks(parent_id, [block], after=after)[0]

    def replace_file(self, block_id: str, data: bytes | str, name: str | None = None) -> None:
        """Upload another file in the place of a block's: its address is another one, and its page is edited."""
        with self.lock:
            block = self.node(block_id, Block)
            if block.payload.get("type") != "file":
                raise ValueError("Notion keeps no file of this block.")
            held = block.payload["file"]["name"]
            file = self.upload(name or held, data)["file"]
            block.payload["file"] = file
            if "name" in block.payload:
                block.payload["name"] = file["name"]
            self.touch(block, self.acting_user)

    def set_cover(self, page_id: str, cover: Json | str | None) -> None:
        """Give a page a cover: an uploaded file, or a picture elsewhere by its address."""
        with self.lock:
            page = self.node(page_id, Page)
            page.cover = {"type": "external", "external": {"url": cover}} if isinstance(cover, str) else cover
            self.touch(page, self.acting_user)
