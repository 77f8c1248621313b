"""What PostgreSQL says of an error, by the letters of its protocol."""

from __future__ import annotations

from sqlalchemy.exc import DBAPIError


def server_fields(error: BaseException) -> dict[str, str]:
    """The fields of the server's message: `C` code, `M` message, `n` constraint; empty when it was
    not the server that refused.
    """
    original = error.orig if isinstance(error, DBAPIError) else error
    details = original.args[0] if original is not None and original.args else None
    return details if isinstance(details, dict) else {}


def sqlstate(error: BaseException) -> str | None:
    """PostgreSQL's code of the error, e.g. `42P01`."""
    return server_fields(error).get("C")
