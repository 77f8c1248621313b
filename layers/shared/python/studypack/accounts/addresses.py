"""When two e-mail addresses are the same."""

from __future__ import annotations

from sqlalchemy import ColumnElement, func

from studypack.identity.models import User


def has_address(email: str) -> ColumnElement[bool]:
    """Of a user in a query: whether the account's address is this one, in any case.

    PostgreSQL lowers both sides, as the unique index does: Python lowers some letters (the Turkish
    I with a dot) to something else, and would not find the account that the index refuses.
    """
    return func.lower(User.email) == func.lower(email)
