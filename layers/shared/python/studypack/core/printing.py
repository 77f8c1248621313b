"""Text made fit for a font (pure)."""

from __future__ import annotations

import unicodedata
from collections.abc import Container


def printable(text: str, letters: Container[int]) -> str:
    """The text on one line, in characters that the font has (`letters`: their code points): an
    unknown one loses its marks or becomes a question mark.
    """
    shown = []
    for character in unicodedata.normalize("NFC", " ".join(text.split())):
        if ord(character) in letters:
            shown.append(character)
            continue
        if unicodedata.category(character) in {"Cc", "Cf", "Mn"}:
            continue
        plain = unicodedata.normalize("NFKD", character)
        shown.append("".join(each for each in plain if ord(each) in letters) or "?")
    return "".join(shown)
