"""Slugs: the part of an address that names a course, a module, a lesson or a topic."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection

MAX_SLUG = 80
SLUG_PATTERN = r"^[a-z0-9]+(-[a-z0-9]+)*$"

_SPELT_OUT = str.maketrans(
    {
        "ß": "ss",
        "æ": "ae",
        "Æ": "ae",
        "œ": "oe",
        "Œ": "oe",
        "ø": "o",
        "Ø": "o",
        "đ": "d",
        "Đ": "d",
        "ð": "d",
        "Ð": "d",
        "þ": "th",
        "Þ": "th",
        "ł": "l",
        "Ł": "l",
        "\u0131": "i",
        "+": " plus ",
        "#": " sharp ",
        "&": " and ",
        "%": " percent ",
        "'": "",
        "\u2019": "",
    }
)
"""What Unicode does not decompose, and signs that tell titles apart (C, C++, C#)."""
_SEPARATORS = re.compile(r"[^a-z0-9]+")


def slug_of(title: str, *, otherwise: str) -> str:
    """A slug of a title: ASCII, lower case, words joined by hyphens, at most MAX_SLUG long;
    `otherwise` when nothing of the title can be spelt in ASCII.
    """
    decomposed = unicodedata.normalize("NFKD", title.translate(_SPELT_OUT))
    letters = "".join(each for each in decomposed if not unicodedata.combining(each)).lower()
    return _cut(_SEPARATORS.sub("-", letters).strip("-"), MAX_SLUG) or otherwise


def free_slug(wanted: str, taken: Collection[str]) -> str:
    """The wanted slug, or with the lowest number from 2 on behind it that makes it free."""
    if wanted not in taken:
        return wanted
    number = 2
    while (slug := f"{_cut(wanted, MAX_SLUG - len(str(number)) - 1)}-{number}") in taken:
        number += 1
    return slug


def _cut(slug: str, length: int) -> str:
    return slug[:length].rstrip("-")
