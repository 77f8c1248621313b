"""Where Stripe's pages lead back to: addresses on our own origins, so that nobody is sent from our
payment to somebody else's page.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from studypack.core.config import get_settings
from studypack.core.errors import Unprocessable


def check_return_url(field: str, url: str) -> str:
    """The address itself, when it lies on one of our origins; `{CHECKOUT_SESSION_ID}` in it is
    filled in by Stripe.

    Raises Unprocessable naming the field (`foreign_address`).
    """
    if not _is_ours(url):
        raise Unprocessable.field(field, "This address is not one of ours.", code="foreign_address")
    return url


def _is_ours(url: str) -> bool:
    # Browsers read a backslash as a slash, and drop control characters.
    if not url.isascii() or not url.isprintable() or "\\" in url or " " in url:
        return False
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return f"{parts.scheme}://{parts.netloc}" in get_settings().origins
