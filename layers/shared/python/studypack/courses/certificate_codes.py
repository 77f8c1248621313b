"""Codes of certificates: 80 random bits in Crockford's base 32, in four groups (pure).

https://www.crockford.com/base32.html: no I, L, O or U, so that a code can be read out and typed.
"""

from __future__ import annotations

import re
import secrets
from typing import Final

ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
LENGTH: Final = 16
LONGEST_TYPED: Final = 40
"""Characters of a code as somebody may type it, with spaces and hyphens."""

_ALIKE: Final = str.maketrans("OIL", "011")
_SEPARATORS: Final = re.compile(r"[\s\-\u2010-\u2015]+")


def new_code() -> str:
    """A code that nobody can guess: `XXXX-XXXX-XXXX-XXXX`."""
    return _grouped("".join(secrets.choice(ALPHABET) for _ in range(LENGTH)))


def read_code(typed: str) -> str | None:
    """The code that was meant: in small letters, with O for 0 and I or L for 1, grouped otherwise.
    None: none at all.
    """
    if len(typed) > LONGEST_TYPED:
        return None
    plain = _SEPARATORS.sub("", typed).upper().translate(_ALIKE)
    if len(plain) != LENGTH or any(character not in ALPHABET for character in plain):
        return None
    return _grouped(plain)


def _grouped(plain: str) -> str:
    return "-".join(plain[start : start + 4] for start in range(0, LENGTH, 4))
