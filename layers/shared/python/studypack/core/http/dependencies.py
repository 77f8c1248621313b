"""What routes ask for: the request's database session, a page of a list, the client's address."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from typing import Annotated

from fastapi import Depends, Query, Request
from sqlalchemy.orm import Session

from studypack.core.database.transaction import read_session, transaction
from studypack.core.http.middleware import SESSION_COOKIE
from studypack.core.paging import DEFAULT_LIMIT, MAX_LIMIT, PageParams, decode_cursor


def open_session(request: Request) -> Iterator[Session]:
    """One transaction a request; a request that only reads (GET) runs in autocommit."""
    with read_session() if request.method in {"GET", "HEAD"} else transaction() as session:
        yield session


DbSession = Annotated[Session, Depends(open_session, scope="function")]
"""`scope="function"`: the commit happens BEFORE the answer, so that a failed one is a 500 and
never a 201.
"""


def page_params(
    cursor: Annotated[
        str | None, Query(max_length=200, description="`next_cursor` of the page before")
    ] = None,
    limit: Annotated[int, Query(ge=1, le=MAX_LIMIT)] = DEFAULT_LIMIT,
) -> PageParams:
    """The two query parameters of every list."""
    return PageParams(after=decode_cursor(cursor) if cursor else None, limit=limit)


Paging = Annotated[PageParams, Depends(page_params)]


def client_address(request: Request) -> str:
    """The caller's network address as API Gateway (or the local server) saw it; IPv6 by its /64.

    A client cannot choose it: forwarding headers are not read. "unknown" when it is missing or
    malformed.
    """
    host = request.client.host if request.client else None
    try:
        address = ipaddress.ip_address((host or "").split("%")[0])
    except ValueError:
        return "unknown"
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped:
            return str(address.ipv4_mapped)
        return str(ipaddress.ip_network((address, 64), strict=False))
    return str(address)


ClientAddress = Annotated[str, Depends(client_address)]


def session_token(request: Request) -> str | None:
    """The opaque token of the caller's session: bearer first, else the cookie."""
    scheme, _, credentials = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and credentials:
        return credentials.strip()
    return request.cookies.get(SESSION_COOKIE)


SessionToken = Annotated[str | None, Depends(session_token)]
