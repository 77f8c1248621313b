"""The session's cookie, and that of a trip to an OAuth provider."""

from __future__ import annotations

from datetime import datetime, timedelta

from fastapi import Response

from studypack.core.config import get_settings
from studypack.core.http.middleware import SESSION_COOKIE

OAUTH_COOKIE = "studypack_oauth"
_OAUTH_PATH = "/api/auth/oauth"


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
    """Take it back, and have the browser drop what it kept of the account."""
    response.headers["Clear-Site-Data"] = '"cache", "storage"'
    response.delete_cookie(
        SESSION_COOKIE,
        path="/",
        secure=get_settings().cookie_secure,
        httponly=True,
        samesite="lax",
    )


def set_oauth_cookie(response: Response, secret: str, *, max_age: timedelta) -> None:
    """Bind a trip to a provider to this browser; Lax, since the way back is a link from there."""
    response.set_cookie(
        OAUTH_COOKIE,
        secret,
        max_age=int(max_age.total_seconds()),
        path=_OAUTH_PATH,
        secure=get_settings().cookie_secure,
        httponly=True,
        samesite="lax",
    )


def clear_oauth_cookie(response: Response) -> None:
    """The trip has ended."""
    response.delete_cookie(
        OAUTH_COOKIE,
        path=_OAUTH_PATH,
        secure=get_settings().cookie_secure,
        httponly=True,
        samesite="lax",
    )
