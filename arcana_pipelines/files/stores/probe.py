"""Does the store of files answer? Asked without writing anything."""

from __future__ import annotations

from arcana_pipelines.errors import FileStoreUnreachable
from arcana_pipelines.files.stores.registry import open_file_store
from arcana_pipelines.net.asked import asked
from arcana_pipelines.settings import Settings


def probe(settings: Settings, seconds: float) -> str:
    """Where the store of files is, in a sentence.

    Raises:
        FileStoreUnreachable: it does not answer within so many seconds.
        FileStoreRefused: it answers and refuses us.
        WrongUse: a setting of it cannot be used, or a library is missing.
    """
    with open_file_store(settings, hurried_seconds=seconds) as store:
        try:
            return asked(store.answer).result(seconds)
        except TimeoutError:
            raise FileStoreUnreachable(f"It did not answer within {seconds:.0f} seconds.") from None
