"""Files in a bucket of Amazon S3, or of another service that speaks its protocol.

A key stands for its content, so nothing depends on conditions: with them (`If-None-Match: *`) an object is never
written twice, and a server that ignores them writes the same bytes again. Sums of SHA-256 go with each request; a
server that does not compare them is found out when the bytes are read. Encryption is the bucket's own: Amazon encrypts
every object, and others refuse the header that asks for it where they have no key. An upload of parts that is not
completed is no object.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import os
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import cache, partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    HTTPClientError,
    IncompleteReadError,
    NoCredentialsError,
    PartialCredentialsError,
    SSLError,
)
from botocore.exceptions import (
    ConnectionError as NotConnected,
)

from arcana_pipelines.errors import ArcanaError, FileDamaged, FileMissing, FileStoreRefused, FileStoreUnreachable
from arcana_pipelines.files.stores.keys import hash_in, is_key, require_key
from arcana_pipelines.files.stores.links import disposition, mime_type_of
from arcana_pipelines.files.stores.on_disk import new_file, sweep, telling
from arcana_pipelines.files.stores.pieces import PIECE_BYTES, begun, checked, of_file
from arcana_pipelines.files.stores.protocol import StoredObject

PART_BYTES = 16 * 1024 * 1024
_PAGE = 1000
_CONNECTIONS = 50  # that are kept open; more are made where more are read at once
_TYPE = "application/octet-stream"
_RIGHTS = (
    "s3:GetObject, s3:PutObject, s3:DeleteObject, s3:AbortMultipartUpload on its objects, s3:ListBucket and "
    "s3:ListBucketMultipartUploads on the bucket"
)
# What to do about an answer, by its code. The service's own words may hold parts of a request.
_WHAT_TO_DO = {
    "NoSuchBucket": "there is no such bucket: make it, or correct S3_BUCKET_NAME",
    "InvalidBucketName": "no bucket can be called so: correct S3_BUCKET_NAME",
    "InvalidAccessKeyId": "it does not know the key of S3_ACCESS_KEY: ask who runs it for another",
    "SignatureDoesNotMatch": "S3_SECRET_KEY does not belong to S3_ACCESS_KEY: copy both again",
    "ExpiredToken": "the credentials have expired: ask who runs it for others",
    "InvalidToken": "the credentials are not its own: ask who runs it for others",
    "RequestTimeTooSkewed": "the clock of this machine is wrong: set it",
    "AuthorizationHeaderMalformed": "the bucket lies in another region: correct S3_REGION",
    "PermanentRedirect": "the bucket lies in another region: correct S3_REGION, or S3_ENDPOINT_URL",
    "IllegalLocationConstraintException": "the bucket lies in another region: correct S3_REGION",
    "QuotaExceeded": "the bucket is full: ask who runs it for more room",
    "XMinioStorageFull": "its disks are full: ask who runs it for more room",
    "XMinioAdminBucketQuotaExceeded": "the bucket is full: ask who runs it for more room",
}
_LATER = (408, 429, 500, 502, 503, 504)
_GONE = ("NoSuchKey", "NotFound", "404")
# A session is not for several threads, its clients are.
_MAKING = threading.Lock()
# Somebody else has completed it, or is about to: an answer to an earlier try of ours among them.
_OVERTAKEN = ("PreconditionFailed", "ConditionalRequestConflict", "NoSuchUpload")


class S3Store:
    """See `FileStore`."""

    def __init__(
        self,
        bucket: str,
        incoming: Path,
        *,
        endpoint_url: str | None,
        access_key: str | None,
        secret_key: str | None,
        region: str,
        connect_seconds: float,
        read_seconds: float,
        attempts: int,
    ) -> None:
        """Without keys boto3 looks for some where Amazon's tools do.

        `incoming` is a folder for what is fetched; `attempts` includes the first.

        Raises:
            FileStoreRefused: address or region are none.
        """
        self.bucket = bucket
        self._incoming = incoming
        host = urlsplit(endpoint_url).netloc.rpartition("@")[2] if endpoint_url else f"Amazon S3 in {region}"
        self.place = f"the bucket '{bucket}' ({host})"
        config = Config(
            signature_version="s3v4",
            s3={"addressing_style": "path"},
            connect_timeout=connect_seconds,
            read_timeout=read_seconds,
            max_pool_connections=_CONNECTIONS,
            retries={"mode": "standard", "total_max_attempts": attempts},
            # Sums that boto3 would add by itself come in a form that other servers than Amazon's may not read.
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
            ignore_configured_endpoint_urls=True,
        )
        try:
            with _MAKING:
                self.client: Any = _session().client(
                    "s3",
                    region_name=region,
                    endpoint_url=endpoint_url,
                    aws_access_key_id=access_key,
                    aws_secret_access_key=secret_key,
                    config=config,
                    verify=os.environ.get("SSL_CERT_FILE") or None,
                )
        except (BotoCoreError, ValueError) as error:
            raise FileStoreRefused(
                f"{self.place} cannot be asked ({type(error).__name__}): correct S3_ENDPOINT_URL or S3_REGION."
            ) from error

    def put(self, key: str, source: Path, sha256: str, size: int) -> None:
        """See `FileStore.put`."""
        require_key(key, sha256)
        with source.open("rb") as file:
            if os.fstat(file.fileno()).st_size != size:
                raise FileDamaged("A file to be stored has another size than is said.")
            if self._is_there(key, size):
                return
            parts = checked(of_file(file, PART_BYTES), sha256, "A file to be stored")
            if size <= PART_BYTES:
                content = b"".join(parts)
                request = partial(self.client.put_object, Body=content, ContentType=_TYPE, ChecksumSHA256=_sum(content))
                self._write(key, size, request)
            else:
                self._put_parts(key, size, parts)

    @contextmanager
    def fetch(self, key: str, sha256: str) -> Iterator[Path]:
        """See `FileStore.fetch`. It is a copy, which is gone at the end."""
        require_key(key, sha256)
        pieces = self.read(key)
        with contextlib.ExitStack() as opened:
            with telling(self._incoming):
                path, file = opened.enter_context(new_file(self._incoming))
                file.writelines(pieces)
                file.flush()
            yield path

    def read(self, key: str, start: int = 0, length: int | None = None) -> Iterator[bytes]:
        """See `FileStore.read`."""
        return begun(self._pieces(key, hash_in(key), start, length))

    def size(self, key: str) -> int | None:
        """See `FileStore.size`."""
        hash_in(key)
        size = self._size(key)
        if size is None:
            # The same answer comes where there is no such bucket.
            self.answer()
        return size

    def listing(self, prefix: str) -> Iterator[StoredObject]:
        """See `FileStore.listing`."""
        with self.telling():
            pages = self.client.get_paginator("list_objects_v2").paginate(
                Bucket=self.bucket, Prefix=prefix, PaginationConfig={"PageSize": _PAGE}
            )
            for page in pages:
                for each in page.get("Contents", ()):
                    if is_key(each["Key"]):
                        yield StoredObject(each["Key"], each["Size"], each["LastModified"])

    def delete(self, key: str) -> None:
        """See `FileStore.delete`. A bucket that keeps versions keeps them."""
        hash_in(key)
        with self.telling():
            self.client.delete_object(Bucket=self.bucket, Key=key)

    def address(self, key: str, name: str, mime_type: str, seconds: int) -> str | None:
        """See `FileStore.address`. A service takes no more than a week."""
        hash_in(key)
        asked = {
            "Bucket": self.bucket,
            "Key": key,
            "ResponseContentDisposition": disposition(name),
            "ResponseContentType": mime_type_of(mime_type),
        }
        with self.telling():
            return str(self.client.generate_presigned_url("get_object", Params=asked, ExpiresIn=seconds))

    def sweep_leftovers(self, older_than: datetime) -> int:
        """See `FileStore.sweep_leftovers`."""
        with telling(self._incoming):
            swept = sweep(self._incoming, older_than)
        with self.telling():
            try:
                for page in self.client.get_paginator("list_multipart_uploads").paginate(Bucket=self.bucket):
                    for each in page.get("Uploads", ()):
                        if is_key(each["Key"]) and each["Initiated"] < older_than:
                            self._abort(each["Key"], each["UploadId"])
                            swept += 1
            except ClientError as error:
                # Some services end such uploads themselves, and list none.
                if error.response["Error"]["Code"] != "NotImplemented":
                    raise
        return swept

    def answer(self) -> str:
        """See `FileStore.answer`."""
        with self.telling():
            self.client.list_objects_v2(Bucket=self.bucket, MaxKeys=1)
        return f"{self.place} answers; {self._encryption()}"

    def _encryption(self) -> str:
        """How the bucket encrypts what lies in it, as far as it tells: the right to ask is not needed otherwise."""
        try:
            answer = self.client.get_bucket_encryption(Bucket=self.bucket)
            by_default = answer["ServerSideEncryptionConfiguration"]["Rules"][0]["ApplyServerSideEncryptionByDefault"]
            return f"it encrypts what it keeps ({by_default['SSEAlgorithm']})"
        except ClientError as error:
            if error.response["Error"]["Code"] == "ServerSideEncryptionConfigurationNotFoundError":
                return "it does NOT encrypt what it keeps"
        except (BotoCoreError, KeyError, IndexError):
            pass
        return "whether it encrypts what it keeps it does not tell"

    def close(self) -> None:
        """See `FileStore.close`."""
        self.client.close()

    def _put_parts(self, key: str, size: int, parts: Iterator[bytes]) -> None:
        named = {"Bucket": self.bucket, "Key": key}
        with self.telling():
            upload_id = self.client.create_multipart_upload(**named, ContentType=_TYPE, ChecksumAlgorithm="SHA256")[
                "UploadId"
            ]
        upload = {**named, "UploadId": upload_id}
        try:
            made = []
            for number, part in enumerate(parts, start=1):
                sha256 = _sum(part)
                with self.telling():
                    answer = self.client.upload_part(**upload, PartNumber=number, Body=part, ChecksumSHA256=sha256)
                made.append({"PartNumber": number, "ETag": answer["ETag"], "ChecksumSHA256": sha256})
            complete = partial(
                self.client.complete_multipart_upload, UploadId=upload_id, MultipartUpload={"Parts": made}
            )
            is_ours = self._write(key, size, complete)
        except BaseException:
            # What is left in spite of this is swept a day later.
            with contextlib.suppress(ArcanaError), self.telling():
                self._abort(key, upload_id)
            raise
        if not is_ours:
            with self.telling():
                self._abort(key, upload_id)

    def _write(self, key: str, size: int, request: Callable[..., object]) -> bool:
        """Make an object where there is none; whether it was this request that made it."""
        asked = {"Bucket": self.bucket, "Key": key}
        with self.telling():
            try:
                request(**asked, IfNoneMatch="*")
            except ClientError as error:
                code = error.response["Error"]["Code"]
                if code == "NotImplemented":
                    request(**asked)
                elif code not in _OVERTAKEN and _status_of(error) != 412:
                    raise
                elif self._is_there(key, size):
                    return False
                else:
                    raise FileStoreUnreachable(
                        f"{self.place} was changed by somebody else while a file was stored: it is stored again later."
                    ) from error
        return True

    def _abort(self, key: str, upload_id: str) -> None:
        try:
            self.client.abort_multipart_upload(Bucket=self.bucket, Key=key, UploadId=upload_id)
        except ClientError as error:
            if error.response["Error"]["Code"] != "NoSuchUpload":
                raise

    def _is_there(self, key: str, size: int) -> bool:
        found = self._size(key)
        if found is not None and found != size:
            raise FileDamaged(f"The stored file {key} has other bytes than its hash says.")
        return found is not None

    def _size(self, key: str) -> int | None:
        with self.telling():
            try:
                return int(self.client.head_object(Bucket=self.bucket, Key=key)["ContentLength"])
            except ClientError as error:
                if error.response["Error"]["Code"] in _GONE:
                    return None
                # Which comes without a reason: another request is told it.
                self.answer()
                raise

    def _pieces(self, key: str, sha256: str, start: int, length: int | None) -> Iterator[bytes]:
        last = "" if length is None else start + length - 1
        asked = {"Range": f"bytes={start}-{last}"} if start or length is not None else {}
        with self.telling():
            try:
                body = self.client.get_object(Bucket=self.bucket, Key=key, **asked)["Body"]
            except ClientError as error:
                if error.response["Error"]["Code"] in _GONE:
                    raise FileMissing(f"There is no stored file {key} in {self.place}.") from error
                raise
            with contextlib.closing(body):
                pieces = body.iter_chunks(PIECE_BYTES)
                yield from pieces if asked else checked(pieces, sha256, f"The stored file {key}")

    @contextmanager
    def telling(self) -> Iterator[None]:
        """Say what a service that does not do it means, and what to do; never in its own words."""
        try:
            yield
        except ClientError as error:
            raise self._told(error) from error
        except (NoCredentialsError, PartialCredentialsError) as error:
            raise FileStoreRefused(
                f"{self.place} wants credentials: set S3_ACCESS_KEY and S3_SECRET_KEY, or give this machine a role."
            ) from error
        except SSLError as error:
            raise FileStoreUnreachable(
                f"{self.place} is not trusted: its certificate is of no authority that this machine knows. Name the "
                "authority's file in SSL_CERT_FILE, or correct S3_ENDPOINT_URL."
            ) from error
        except (NotConnected, HTTPClientError, IncompleteReadError) as error:
            raise FileStoreUnreachable(f"{self.place} does not answer now ({type(error).__name__}).") from error
        except BotoCoreError as error:
            raise FileStoreRefused(
                f"{self.place} cannot be asked ({type(error).__name__}): correct S3_BUCKET_NAME, S3_ENDPOINT_URL or "
                "S3_REGION."
            ) from error

    def _told(self, error: ClientError) -> ArcanaError:
        status = _status_of(error)
        code = re.sub(r"[^A-Za-z0-9]", "", str(error.response["Error"].get("Code", "")))[:60]
        if code in _WHAT_TO_DO:
            return FileStoreRefused(f"{self.place} refuses: {_WHAT_TO_DO[code]}.")
        if status == 507:
            return FileStoreRefused(f"{self.place} is full ({code}): ask who runs it for more room.")
        if status in _LATER:
            return FileStoreUnreachable(f"{self.place} does not answer now ({code}).")
        if status in (401, 403):
            return FileStoreRefused(
                f"{self.place} refuses ({code}): check S3_ACCESS_KEY and S3_SECRET_KEY, and ask who runs it for the "
                f"rights {_RIGHTS}."
            )
        return FileStoreRefused(f"{self.place} refuses ({code}): is S3_ENDPOINT_URL the address of such a service?")


class S3Bucket:
    """See `Bucket`: the same service, rights and messages."""

    def __init__(self, store: S3Store) -> None:
        """The bucket of a store, which is closed with it."""
        self._store = store
        self.shown = store.place

    def put(self, name: str, content: bytes) -> None:
        """See `Bucket.put`. It is one request."""
        asked = {"Bucket": self._store.bucket, "Key": name, "ContentType": _TYPE}
        with self._store.telling():
            self._store.client.put_object(**asked, Body=content, ChecksumSHA256=_sum(content))

    def get(self, name: str) -> bytes | None:
        """See `Bucket.get`."""
        with self._store.telling():
            try:
                with contextlib.closing(
                    self._store.client.get_object(Bucket=self._store.bucket, Key=name)["Body"]
                ) as body:
                    return bytes(body.read())
            except ClientError as error:
                if error.response["Error"]["Code"] in _GONE:
                    return None
                raise

    def names(self, prefix: str) -> Iterator[StoredObject]:
        """See `Bucket.names`."""
        with self._store.telling():
            pages = self._store.client.get_paginator("list_objects_v2").paginate(
                Bucket=self._store.bucket, Prefix=prefix, PaginationConfig={"PageSize": _PAGE}
            )
            for page in pages:
                for each in page.get("Contents", ()):
                    yield StoredObject(each["Key"], each["Size"], each["LastModified"])

    def delete(self, name: str) -> None:
        """See `Bucket.delete`."""
        with self._store.telling():
            self._store.client.delete_object(Bucket=self._store.bucket, Key=name)

    def answer(self) -> str:
        """See `Bucket.answer`."""
        return self._store.answer()

    def close(self) -> None:
        """Release what is open."""
        self._store.close()


@cache
def _session() -> boto3.session.Session:
    """What has read the description of the service, which takes half a second."""
    return boto3.session.Session()


def _status_of(error: ClientError) -> int:
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


def _sum(content: bytes) -> str:
    return base64.b64encode(hashlib.sha256(content).digest()).decode()
