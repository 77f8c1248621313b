"""Which addresses a lesson may lead to or load (pure)."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import urlsplit

LONGEST_URL: Final = 2_000

_SCHEME: Final = re.compile(r"^([^/?#]*?):")
_UNFIT: Final = re.compile(r"[\x00-\x20\x7f-\xa0\\\u2028\u2029\ufeff\ud800-\udfff]")
"""White space and control characters, which browsers drop from an address before they look at its
scheme, and the backslash, which they read as a slash.
"""
_MEDIA: Final = re.compile(r"media(/[A-Za-z0-9_][A-Za-z0-9_.-]*)+")


def link_problem(url: str) -> str | None:
    """What is wrong with a link's address: https, mailto, or relative without scheme and host.
    None: nothing.
    """
    if (problem := _form_problem(url)) is not None:
        return problem
    scheme = _SCHEME.match(url)
    if scheme is None:
        if url.startswith("//"):
            return "an address without https: must stay on this site"
        return None
    match scheme[1].lower():
        case "https":
            return _host_problem(url)
        case "mailto":
            return None if "@" in url else "a mailto: needs an address"
        case _:
            return "only https, mailto and relative addresses are allowed"


def image_problem(url: str) -> str | None:
    """What is wrong with a picture's address: https, or `media/...`, a file of the course. None:
    nothing.
    """
    if (problem := _form_problem(url)) is not None:
        return problem
    if url[:6].lower() == "https:":
        return _host_problem(url)
    if not _MEDIA.fullmatch(url):
        return "only https and media/<file> are allowed"
    return None


def _form_problem(url: str) -> str | None:
    if not url:
        return "the address is empty"
    if len(url) > LONGEST_URL:
        return f"the address is longer than {LONGEST_URL} characters"
    if _UNFIT.search(url):
        return "the address has white space, control characters or backslashes in it"
    return None


def _host_problem(url: str) -> str | None:
    if url[6:8] != "//":  # else a browser would read `https:x` as relative, or as a host
        return "the address has no host"
    try:
        parts = urlsplit(url)
        host = parts.hostname
        _ = parts.port
    except ValueError:
        return "the address is malformed"
    if not host:
        return "the address has no host"
    if "@" in parts.netloc:
        return "the address has a user name in it"
    return None
