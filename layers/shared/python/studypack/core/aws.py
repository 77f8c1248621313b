"""AWS clients, made at first use: boto3 alone would double an API function's cold start."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from botocore.client import BaseClient


@lru_cache(maxsize=16)
def client(service: str, *, connect: float = 3, read: float = 10, tries: int = 3) -> BaseClient:
    """The client of a service, e.g. `client("sqs")`; AWS_ENDPOINT_URL points it to a stand-in.

    Bounded waits (seconds) and few tries, so that a slow service cannot eat a request's whole time.
    """
    import boto3
    from botocore.config import Config

    config = Config(
        connect_timeout=connect,
        read_timeout=read,
        retries={"total_max_attempts": tries, "mode": "standard"},
    )
    return boto3.client(service, config=config)  # type: ignore[call-overload, no-any-return]
