"""The errors the API answers with, in its own words where they are recorded."""

from __future__ import annotations

import json
from typing import Any, Final

UNDEFINED: Final = object()
"""Stands for something the request left out."""


class ApiError(Exception):
    """An answer of 4xx or 5xx with Notion's error body."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        additional_data: dict[str, Any] | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.additional_data = additional_data
        self.headers = headers or {}

    def body(self, request_id: str) -> dict[str, Any]:
        """The JSON body."""
        body: dict[str, Any] = {
            "object": "error",
            "status": self.status,
            "code": self.code,
            "message": self.message,
        }
        if self.additional_data is not None:
            body["additional_data"] = self.additional_data
        body["request_id"] = request_id
        return body


def invalid(message: str) -> ApiError:
    """400 `validation_error`."""
    return ApiError(400, "validation_error", message)


def failed_validation(where: str, name: str, should_be: str, found: Any) -> ApiError:
    """400 for a part of the request that has the wrong form, in Notion's way of saying so."""
    shown = "undefined" if found is UNDEFINED else json.dumps(found, ensure_ascii=False)
    return invalid(f"{where} failed validation: {where}.{name} should be {should_be}, instead was `{shown}`.")


def invalid_url() -> ApiError:
    """400 `invalid_request_url`: no such path, or not with this method."""
    return ApiError(400, "invalid_request_url", "Invalid request URL.")


def unauthorized() -> ApiError:
    """401: no token, an unknown one, or one that was revoked."""
    return ApiError(401, "unauthorized", "API token is invalid.")


def restricted() -> ApiError:
    """403: the connection lacks a capability."""
    return ApiError(403, "restricted_resource", "Insufficient permissions for this endpoint.")


def not_found(kind: str, node_id: str, *, integration: str, integration_id: str) -> ApiError:
    """404: absent and not shared look the same."""
    message = (
        f"Could not find {kind} with ID: {node_id}. Make sure the relevant pages and databases are shared "
        f'with your integration "{integration}".'
    )
    return ApiError(404, "object_not_found", message, additional_data={"integration_id": integration_id})
