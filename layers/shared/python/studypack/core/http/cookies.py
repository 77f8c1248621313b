"""The session cookie."""

from __future__ import annotations

from datetime import datetime

from fastapi import Response

from studypack.core.config import get_settings
from studypack.core.http.middleware import SESSION_COOKIE


def set_session_cookie(response: Response, token: str, expires_at: datetime) -> None:
    """Give the browser its session: unreadable to scripts, sent only with requests of our own
    site.
    """
    response.set_cookie(
        SESSION_COOKIE,
        token,
        expires=expires_at,
        path="/",
        secure=get_settings().cookie_secure,
        httponly=True,
        samesite="lax",
    )


def clear_session_cookie(response: Response) -> None:
    """Take it back."""
    response.delete_cookie(
        SESSION_COOKIE,
        path="/",
        secure=get_settings().cookie_secure,
        httponly=True,
        samesite="lax",
    )
