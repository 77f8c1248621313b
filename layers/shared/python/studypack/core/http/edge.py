"""The application behind a content delivery network (edge.yaml): whoever comes past it is refused,
and the client's address is the one that the edge saw.
"""

from __future__ import annotations

import hmac

from starlette.datastructures import Headers
from starlette.types import Scope

from studypack.core.config import get_settings
from studypack.core.errors import Forbidden

KEY_HEADER = "x-edge-key"
ADDRESS_HEADER = "x-edge-client"


def admit(scope: Scope, headers: Headers) -> None:
    """Let a request in if it comes from the edge, and take the client's address from it.

    Without EDGE_KEYS API Gateway is met directly: both headers are what any client can write, and
    nobody reads them. Raises Forbidden.
    """
    keys = get_settings().edge_keys
    if keys is None:
        return
    given = headers.get(KEY_HEADER, "").encode()
    known = [key.encode() for key in keys.get_secret_value().split(",") if key]
    # A list, so that every key is compared whichever fits.
    if not any([hmac.compare_digest(given, key) for key in known]):  # noqa: C419
        raise Forbidden("The API is reached by its public name.", code="edge_required")
    scope["client"] = (headers.get(ADDRESS_HEADER, ""), 0)
