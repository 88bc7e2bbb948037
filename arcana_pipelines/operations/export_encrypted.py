"""Files to give away, encrypted for those alone whose keys are named. The format is age: https://age-encryption.org/v1"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pyrage

from arcana_pipelines.errors import WrongUse
from arcana_pipelines.operations.export import made_whole

ENDING = ".age"


@contextmanager
def encrypted(file: Path, recipients: Sequence[str], overwrite: bool) -> Iterator[Path]:
    """Where to write what is encrypted into `file` at the end: in a folder that nobody else can enter, which goes then.

    `recipients`: public keys, as age writes them (`age1…`) or of SSH (`ssh-ed25519 …`, `ssh-rsa …`).

    Raises:
        WrongUse: the name does not end in `.age`, the file is there and may not be overwritten, or a key is none.
    """
    if file.suffix != ENDING or not Path(file.stem).suffix:
        raise WrongUse(
            f"An encrypted file ends in {ENDING} behind the ending of what is in it, as index.sqlite{ENDING}."
        )
    keys = [_recipient(each) for each in recipients]
    with (
        made_whole(file, overwrite) as beside,
        tempfile.TemporaryDirectory(prefix=".export.", dir=file.parent) as folder,
    ):
        plain = Path(folder) / file.stem
        yield plain
        pyrage.encrypt_file(str(plain), str(beside), keys)


def _recipient(text: str) -> object:
    kind = pyrage.ssh if text.startswith("ssh-") else pyrage.x25519
    try:
        return kind.Recipient.from_str(text)
    except pyrage.RecipientError:
        # What was given is not repeated: it may be the private key.
        raise WrongUse(
            "--encrypt-to takes a public key: age1… (`age-keygen` prints it), or ssh-ed25519 … (a line of a file .pub)."
        ) from None
