"""The web client's pages that mails lead to, in one place."""

from __future__ import annotations

from typing import Final
from urllib.parse import quote

PAGES: Final = {
    "home": "/",
    "dashboard": "/dashboard",
    "courses": "/courses",
    "course": "/courses/{}",
    "lesson": "/lessons/{}",
    "pricing": "/pricing",
    "sign_in": "/sign-in",
    "forgot_password": "/forgot-password",
    "security": "/settings/security",
    "billing": "/settings/billing",
    "preferences": "/settings/notifications",
    "certificate": "/certificates/{}",
    "friends": "/friends",
    "achievements": "/achievements",
}


def page_url(web_base_url: str, page: str, *parts: str) -> str:
    """The address of a page; `parts` fill its gaps (a slug, an id)."""
    path = PAGES[page].format(*(quote(str(part), safe="") for part in parts))
    return web_base_url.rstrip("/") + path
