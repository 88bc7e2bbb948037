"""What a workspace says of how its Notion is read."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class NotionOptions(BaseModel):
    """The options of `workspace add`, of YAML and of requests."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    comments: bool = Field(False, description="Index open comments too: one more request a page.")
