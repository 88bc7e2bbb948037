"""Cells of CSV files, which spreadsheets open."""

from __future__ import annotations

from typing import TypeVar

Value = TypeVar("Value")

# A spreadsheet takes what begins so for a formula, which can send what stands beside it elsewhere:
# https://owasp.org/www-community/attacks/CSV_Injection
BEGINS_FORMULA = ("=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠")


def cell(value: Value) -> Value | str:
    """A value as it may stand in a cell: before a text that would be a formula stands an apostrophe."""
    return f"'{value}" if isinstance(value, str) and value.startswith(BEGINS_FORMULA) else value
