"""Which store of files an installation has, and how it is opened."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from pydantic import SecretStr

from arcana_pipelines import plugins
from arcana_pipelines.errors import InvalidSetting
from arcana_pipelines.files.stores.incoming import incoming_folder
from arcana_pipelines.files.stores.keys import key_of as key_of
from arcana_pipelines.files.stores.keys import prefix_of as prefix_of
from arcana_pipelines.files.stores.protocol import Bucket, FileStore
from arcana_pipelines.settings import Settings

if TYPE_CHECKING:
    from arcana_pipelines.files.stores.s3 import S3Store


@contextmanager
def open_file_store(settings: Settings, hurried_seconds: float | None = None) -> Iterator[FileStore]:
    """The store of files, until the block ends: the bucket where one is named, else a directory. Nothing is asked yet.

    `hurried_seconds`: a person waits, and it fails rather than be tried again or take longer for one answer.

    Raises:
        WrongUse: a library that it needs is missing, or a setting.
        FileStoreRefused: a setting of the bucket cannot be used.
    """
    store = _directory(settings) if settings.s3_bucket_name is None else _bucket(settings, hurried_seconds)
    try:
        yield store
    finally:
        store.close()


@contextmanager
def open_bucket(settings: Settings, name: str, hurried_seconds: float | None = None) -> Iterator[Bucket]:
    """A bucket of the service that S3_ENDPOINT_URL and its keys name, until the block ends. Nothing is asked yet.

    Raises:
        WrongUse, FileStoreRefused: see `open_file_store`.
    """
    with plugins.optional("A place of backups in a bucket", "s3"):
        from arcana_pipelines.files.stores.s3 import S3Bucket

    bucket = S3Bucket(_bucket(settings.model_copy(update={"s3_bucket_name": name}), hurried_seconds))
    try:
        yield bucket
    finally:
        bucket.close()


def _directory(settings: Settings) -> FileStore:
    from arcana_pipelines.files.stores.directory import DirectoryStore

    return DirectoryStore(settings.storage_root / "files", incoming_folder(settings))


def _bucket(settings: Settings, hurried_seconds: float | None) -> S3Store:
    with plugins.optional("S3_BUCKET_NAME", "s3"):
        from arcana_pipelines.files.stores.s3 import S3Store

    assert settings.s3_bucket_name is not None
    if (settings.s3_access_key is None) != (settings.s3_secret_key is None):
        raise InvalidSetting("S3_ACCESS_KEY and S3_SECRET_KEY belong together: set both, or none of them.")
    endpoint = settings.s3_endpoint_url
    if endpoint is not None and urlsplit(endpoint).username is not None:
        raise InvalidSetting("S3_ENDPOINT_URL holds no name or password: they go into S3_ACCESS_KEY and S3_SECRET_KEY.")
    return S3Store(
        settings.s3_bucket_name,
        incoming_folder(settings),
        endpoint_url=endpoint,
        access_key=_value(settings.s3_access_key),
        secret_key=_value(settings.s3_secret_key),
        region=settings.s3_region,
        connect_seconds=hurried_seconds or 10,
        read_seconds=hurried_seconds or 60,
        attempts=1 if hurried_seconds else 3,
    )


def _value(secret: SecretStr | None) -> str | None:
    return secret.get_secret_value() if secret is not None else None
