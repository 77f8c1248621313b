"""Asking a provider over HTTP: bounded in time and size, no redirects, no second try."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from studypack.integrations.oauth.errors import ProviderError, ProviderRefused, ProviderSlow

if TYPE_CHECKING:
    from urllib3 import PoolManager

CONNECT_SECONDS = 3.0
ANSWER_SECONDS = 5.0
MAX_BYTES = 256 * 1024
_BLOCK = 16 * 1024
_CLIENT_ERRORS = range(400, 500)


@lru_cache(maxsize=1)
def _pool() -> PoolManager:
    """No retries: a code works once, and a person waits. urllib3 comes with boto3."""
    from urllib3 import PoolManager

    return PoolManager(retries=False)


def fetch_json(
    url: str,
    *,
    form: Mapping[str, str] | None = None,
    bearer: str | None = None,
    seconds: float | None = None,
) -> Any:
    """The JSON that an address answers; with `form` by POST.

    Raises ProviderSlow, ProviderRefused (4xx), ProviderError (all else that is no 200 with JSON).
    """
    from urllib3 import Timeout
    from urllib3.exceptions import ConnectTimeoutError, HTTPError, ReadTimeoutError

    headers = {"Accept": "application/json", "User-Agent": "StudyPack"}
    if bearer is not None:
        headers["Authorization"] = f"Bearer {bearer}"
    if form is not None:
        headers["Content-Type"] = "application/x-www-form-urlencoded"
    wait = ANSWER_SECONDS if seconds is None else seconds
    until = time.monotonic() + CONNECT_SECONDS + wait
    try:
        response = _pool().request(
            "GET" if form is None else "POST",
            url,
            body=None if form is None else urlencode(form),
            headers=headers,
            redirect=False,
            preload_content=False,
            timeout=Timeout(connect=CONNECT_SECONDS, read=wait),
        )
        try:
            body = bytearray()
            while block := response.read1(_BLOCK):
                body += block
                if len(body) > MAX_BYTES:
                    raise ProviderError("answer too large")
                # Each read has its own limit, so one that drips would never reach it.
                if time.monotonic() > until:
                    raise ProviderSlow("answer drips")
        finally:
            response.close()
    except (ConnectTimeoutError, ReadTimeoutError) as error:
        raise ProviderSlow(type(error).__name__) from None
    except (HTTPError, OSError) as error:
        raise ProviderError(type(error).__name__) from None
    if response.status in _CLIENT_ERRORS:
        raise ProviderRefused(f"status {response.status}")
    if response.status != 200:
        raise ProviderError(f"status {response.status}")
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise ProviderError("no JSON") from None
