"""Does the store of files answer? Asked without writing anything."""

from __future__ import annotations

import threading

from arcana_pipelines.errors import ArcanaError, FileStoreUnreachable
from arcana_pipelines.files.stores.registry import open_file_store
from arcana_pipelines.settings import Settings


def probe(settings: Settings, seconds: float) -> str:
    """Where the store of files is, in a sentence.

    Raises:
        FileStoreUnreachable: it does not answer within so many seconds.
        FileStoreRefused: it answers and refuses us.
        WrongUse: a setting of it cannot be used, or a library is missing.
    """
    answers: list[str | ArcanaError] = []
    with open_file_store(settings, hurried_seconds=seconds) as store:

        def ask() -> None:
            try:
                answers.append(store.answer())
            except ArcanaError as error:
                answers.append(error)

        # In a thread that does not keep the process from ending: a name that nobody resolves is not waited for.
        thread = threading.Thread(target=ask, daemon=True)
        thread.start()
        thread.join(seconds)
    if not answers:
        raise FileStoreUnreachable(f"It did not answer within {seconds:.0f} seconds.")
    if isinstance(answers[0], ArcanaError):
        raise answers[0]
    return answers[0]
