"""What a workspace says of its Freshdesk account."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field, field_validator

from arcana_pipelines.errors import WrongUse
from arcana_pipelines.sources.freshdesk.domain import normalise_domain


class FreshdeskOptions(BaseModel):
    """The options of `workspace add`, of YAML and of requests."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    domain: str | None = Field(
        None, description="The Freshdesk account: acme, of acme.freshdesk.com. Left out: FRESHDESK_DOMAIN."
    )
    private_notes: bool = Field(
        False, description="Index private notes of tickets too, for keys with the scope `notes` alone."
    )
    articles: bool = Field(False, description="Index published articles of the knowledge base too.")

    @field_validator("domain")
    @classmethod
    def _is_an_account(cls, given: str | None) -> str | None:
        try:
            return None if given is None else normalise_domain(given)
        except WrongUse as error:
            raise ValueError(str(error)) from error
