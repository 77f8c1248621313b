"""Where a mail's link to unsubscribe leads: without signing in, for people, in HTML.

Only POST changes anything, since link scanners fetch what a mail links to. Mail clients post by
themselves (RFC 8058); people see a page with a button.
"""

from __future__ import annotations

import base64
import hashlib
from html import escape
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query
from fastapi.responses import HTMLResponse

from studypack.core.config import get_settings
from studypack.core.http import DbSession
from studypack.notifications import unsubscribe
from studypack.notifications.models import Category
from studypack.notifications.unsubscribe_tokens import LONGEST, PATH, signing_key

router = APIRouter()

_STYLE = """
body{margin:0;font:17px/1.55 system-ui,sans-serif;background:#f6f7fb;color:#1a1d2b}
main{max-width:30rem;margin:12vh auto;padding:0 1.25rem}h1{font-size:1.5rem;line-height:1.25}
button{font:inherit;font-weight:600;border:0;border-radius:9px;padding:.7rem 1.4rem;color:#fff;
background:#3d4bb8;cursor:pointer}a{color:#3d4bb8}
@media(prefers-color-scheme:dark){body{background:#11131c;color:#e8eaf4}a{color:#9aa6ff}
button{background:#9aa6ff;color:#12142b}}
"""
_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
_POLICY = (
    f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; form-action 'self'; "
    "object-src 'none'; base-uri 'none'; frame-ancestors 'none'"
)
_NAMES = {
    Category.LEARNING: "mails about your courses and progress",
    Category.REMINDERS: "reminders and digests",
    Category.SOCIAL: "mails about friends",
    Category.MARKETING: "news and offers",
}

_UNKNOWN: dict[int | str, dict[str, object]] = {
    404: {
        "description": "The link is none of ours: a page that says so",
        "content": {"text/html": {"schema": {"type": "string"}}},
    }
}


def signed_link(
    token: Annotated[str, Query(max_length=LONGEST, description="Of the mail's link")],
) -> tuple[UUID, Category] | None:
    """Whose link it is, and for which category; None for a token that we did not make."""
    return unsubscribe.read_link(token, signing_key())


Link = Annotated[tuple[UUID, Category] | None, Depends(signed_link)]
"""Asked for before the session, whose transaction must not wait for the signing key."""


@router.get(PATH, response_class=HTMLResponse, responses=_UNKNOWN)
def show_unsubscribe_page(link: Link) -> HTMLResponse:
    """A page with a button that unsubscribes; the page itself changes nothing."""
    if link is None:
        return _unknown()
    name = escape(_NAMES[link[1]])
    return _page(
        f"<h1>Unsubscribe?</h1><p>You will get no more {name} from us.</p>"
        '<form method="post"><button>Unsubscribe</button></form>'
    )


@router.post(PATH, response_class=HTMLResponse, responses=_UNKNOWN)
def unsubscribe_by_link(link: Link, session: DbSession) -> HTMLResponse:
    """Unsubscribe at once from what the mail was about (one click, RFC 8058); whatever is in the
    body is not read. Again changes nothing.
    """
    if link is None:
        return _unknown()
    unsubscribe.unsubscribe(session, *link)
    name = escape(_NAMES[link[1]])
    return _page(
        f"<h1>You are unsubscribed</h1><p>You will get no more {name} from us. Mails about your "
        f"account and your payments still come.</p><p>{_settings_link()}</p>"
    )


def _unknown() -> HTMLResponse:
    return _page(
        "<h1>This link does not work</h1><p>It is incomplete, or not one of ours. Please open it "
        f"from the mail again.</p><p>{_settings_link()}</p>",
        status=404,
    )


def _settings_link() -> str:
    address = escape(get_settings().web_base_url.rstrip("/"))
    return f'<a href="{address}/settings/notifications">Choose which mails you get</a>'


def _page(body: str, *, status: int = 200) -> HTMLResponse:
    document = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="robots" content="noindex"><title>StudyPack</title>'
        f"<style>{_STYLE}</style></head><body><main>{body}</main></body></html>"
    )
    return HTMLResponse(document, status, headers={"Content-Security-Policy": _POLICY})
