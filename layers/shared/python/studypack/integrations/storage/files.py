"""Files of lessons in a private S3 bucket. Browsers send and fetch them there themselves, by
addresses that we sign: nothing passes through a function, whose payload is bounded.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final
from urllib.parse import quote

from studypack.core.config import ConfigurationError, get_settings
from studypack.core.errors import Unavailable
from studypack.core.telemetry import get_logger

FIRST_BYTES: Final = 4096
"""How much of a file is looked at to tell what it is."""


@dataclass(frozen=True)
class UploadForm:
    """A form that a browser sends with the file as its last field (`multipart/form-data`)."""

    url: str
    fields: Mapping[str, str]


@dataclass(frozen=True)
class StoredFile:
    """What lies under a key."""

    size: int
    first_bytes: bytes


def is_set_up() -> bool:
    """Whether there is a bucket."""
    return get_settings().lesson_files_bucket is not None


def upload_form(key: str, *, mime_type: str, size: int, seconds: int) -> UploadForm:
    """A form that puts one file of exactly this key, type and size (bytes); nobody is asked.

    Raises Unavailable (`files_not_set_up`).
    """
    made: dict[str, Any] = _s3().generate_presigned_post(
        _bucket(),
        key,
        Fields={"Content-Type": mime_type},
        Conditions=[{"Content-Type": mime_type}, ["content-length-range", size, size]],
        ExpiresIn=seconds,
    )
    return UploadForm(made["url"], made["fields"])


def download_url(
    key: str, *, file_name: str, mime_type: str, seconds: int, inline: bool = False
) -> str:
    """An address that gives the file for so long, under its name; nobody is asked.

    `inline`: a browser shows it rather than saves it. Raises Unavailable (`files_not_set_up`).
    """
    url: str = _s3().generate_presigned_url(
        "get_object",
        Params={
            "Bucket": _bucket(),
            "Key": key,
            "ResponseContentType": mime_type,
            "ResponseContentDisposition": disposition(file_name, inline=inline),
        },
        ExpiresIn=seconds,
    )
    return url


def inspect(key: str) -> StoredFile | None:
    """Size and first bytes of a file; None if there is none.

    Raises Unavailable (`files_unavailable`, `files_not_set_up`).
    """
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        head = _s3().head_object(Bucket=_bucket(), Key=key)
        size = int(head["ContentLength"])
        if size == 0:  # of which no range can be asked
            return StoredFile(0, b"")
        part = _s3().get_object(
            Bucket=_bucket(), Key=key, Range=f"bytes=0-{FIRST_BYTES - 1}", IfMatch=head["ETag"]
        )
        return StoredFile(size, part["Body"].read(FIRST_BYTES))
    except ClientError as error:
        if error.response["ResponseMetadata"]["HTTPStatusCode"] == 404:
            return None
        raise _unavailable(error) from None
    except (BotoCoreError, OSError) as error:
        raise _unavailable(error) from None


def put(key: str, content: bytes, *, mime_type: str) -> None:
    """Store a file that is at hand.

    Raises Unavailable (`files_unavailable`, `files_not_set_up`).
    """
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        _s3().put_object(Bucket=_bucket(), Key=key, Body=content, ContentType=mime_type)
    except (BotoCoreError, ClientError, OSError) as error:
        raise _unavailable(error) from None


def read(key: str) -> bytes | None:
    """The whole of a file; None if there is none.

    Raises Unavailable (`files_unavailable`, `files_not_set_up`).
    """
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        content: bytes = _s3().get_object(Bucket=_bucket(), Key=key)["Body"].read()
    except ClientError as error:
        if error.response["ResponseMetadata"]["HTTPStatusCode"] == 404:
            return None
        raise _unavailable(error) from None
    except (BotoCoreError, OSError) as error:
        raise _unavailable(error) from None
    return content


def delete(key: str) -> None:
    """Remove a file; none there is as well.

    Raises Unavailable (`files_unavailable`, `files_not_set_up`).
    """
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        _s3().delete_object(Bucket=_bucket(), Key=key)
    except (BotoCoreError, ClientError, OSError) as error:
        raise _unavailable(error) from None


def disposition(file_name: str, *, inline: bool = False) -> str:
    """The header that names a file to a browser (RFC 6266): in ASCII for old ones, and as it is."""
    plain = "".join(
        each if each.isascii() and each.isprintable() and each not in '"\\%' else "_"
        for each in file_name
    )
    how = "inline" if inline else "attachment"
    return f"{how}; filename=\"{plain}\"; filename*=UTF-8''{quote(file_name, safe='')}"


def forget_storage() -> None:
    """Make the client anew at the next use."""
    _client.cache_clear()


def _bucket() -> str:
    bucket = get_settings().lesson_files_bucket
    if bucket is None:
        raise Unavailable(
            "Files are not set up here.", code="files_not_set_up", retry_after_seconds=3600
        )
    return bucket


def _s3() -> Any:
    _bucket()
    return _client(get_settings().aws_endpoint_url)


@lru_cache(maxsize=1)
def _client(_endpoint: str | None) -> Any:
    """Signature version 4 and the region's own address: a bucket younger than a day is found there
    only.
    """
    import boto3
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError

    try:
        region = boto3.session.Session().region_name
        return boto3.client(
            "s3",
            endpoint_url=_endpoint or (f"https://s3.{region}.amazonaws.com" if region else None),
            config=Config(
                connect_timeout=3,
                read_timeout=10,
                retries={"total_max_attempts": 3, "mode": "standard"},
                signature_version="s3v4",
            ),
        )
    except (BotoCoreError, ValueError) as error:
        raise ConfigurationError(f"AWS_REGION: no client for S3 ({type(error).__name__})") from None


def _unavailable(error: Exception) -> Unavailable:
    response = getattr(error, "response", None) or {}
    get_logger().warning(
        "storage refused",
        extra={"kind": type(error).__name__, "s3_code": response.get("Error", {}).get("Code")},
    )
    return Unavailable(
        "Files are not available at the moment; try again.", code="files_unavailable"
    )
