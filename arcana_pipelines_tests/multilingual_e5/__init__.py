"""The model multilingual-e5-small. Where its weights are not installed, what needs them is skipped."""

from __future__ import annotations

import pytest

from arcana_pipelines.errors import ModelMissing
from arcana_pipelines.multilingual_e5.weights_file import weights_file


def _is_installed() -> bool:
    try:
        weights_file()
    except ModelMissing:
        return False
    return True


needs_weights = pytest.mark.skipif(not _is_installed(), reason="the weights are not installed (`make model`)")
