"""One text for one JSON value, so that a hash or a signature does not depend on who wrote it.

RFC 8785 (JSON Canonicalization Scheme): keys in the order of their UTF-16 code units, no spaces,
numbers as ECMAScript writes them. A browser gets the same text from `JSON.stringify` over sorted
keys.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Final

MAX_NUMBER: Final = 2**53 - 1
"""Beyond it a double is not every integer: readers would differ about what was written."""


def canonical(value: object) -> str:
    """The canonical text of a JSON value: None, bool, int, float, str, list, tuple, mapping.

    Raises ValueError for what has none: NaN and infinities, lone surrogates, keys that are not
    text, other types; and for numbers beyond 2^53 - 1.
    """
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case str():
            return _string(value)
        case int() | float():
            if not abs(value) <= MAX_NUMBER:  # nor is NaN
                raise ValueError(f"{value} is no number between -2^53 and 2^53")
            return str(int(value)) if value == int(value) else _fraction(value)
        case list() | tuple():
            return "[" + ",".join(canonical(item) for item in value) + "]"
        case Mapping():
            names = sorted(value, key=_utf16)
            return "{" + ",".join(f"{_string(n)}:{canonical(value[n])}" for n in names) + "}"
        case _:
            raise ValueError(f"{type(value).__name__} is no JSON value")


def _utf16(name: object) -> bytes:
    if not isinstance(name, str):
        raise ValueError(f"{name!r} is no key")  # noqa: TRY004 (one error for all that is no JSON)
    return name.encode("utf-16-be")


def _string(text: str) -> str:
    text.encode()  # ValueError for a lone surrogate
    return json.dumps(text, ensure_ascii=False)


def _fraction(value: float) -> str:
    """ECMA-262, Number::toString; repr has the same shortest digits."""
    sign, digits, exponent = Decimal(repr(value)).as_tuple()
    shortest = "".join(map(str, digits))
    point = len(shortest) + int(exponent)
    if point > 0:
        text = f"{shortest[:point]}.{shortest[point:]}"
    elif point > -6:
        text = "0." + "0" * -point + shortest
    else:
        mantissa = shortest[0] + ("." + shortest[1:] if len(shortest) > 1 else "")
        text = f"{mantissa}e{point - 1}"
    return "-" + text if sign else text
