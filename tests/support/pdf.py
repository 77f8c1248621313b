"""The text of PDFs that fpdf2 wrote: as much of the format as it uses."""

from __future__ import annotations

import re
import zlib

_OBJECT = re.compile(rb"(\d+) 0 obj\n(.*?)\nendobj", re.DOTALL)
_STREAM = re.compile(rb"stream\n(.*)\nendstream", re.DOTALL)
_SHOWN = re.compile(rb"/(F\d+) [\d.]+ Tf|\(((?:[^\\()]|\\.)*)\) Tj", re.DOTALL)
_PAIR = re.compile(rb"<([0-9A-Fa-f]{4})> <([0-9A-Fa-f]+)>")
_ESCAPED = re.compile(rb"\\(.)", re.DOTALL)
_CONTROL = {b"r": b"\r", b"n": b"\n", b"t": b"\t", b"b": b"\b", b"f": b"\f"}


def pages_of(pdf: bytes) -> list[list[str]]:
    """What each page says, piece by piece in the order it was drawn."""
    assert pdf.startswith(b"%PDF-")
    assert pdf.rstrip().endswith(b"%%EOF")
    objects = dict(_OBJECT.findall(pdf))
    fonts = _fonts(objects)
    kids = re.search(rb"/Kids \[([^\]]*)\]", objects[b"1"])
    assert kids is not None
    pages = []
    for number in re.findall(rb"(\d+) 0 R", kids[1]):
        contents = re.search(rb"/Contents (\d+) 0 R", objects[number])
        assert contents is not None
        pages.append(_texts(_stream(objects[contents[1]]), fonts))
    return pages


def text_of(pdf: bytes) -> str:
    """All of it, a piece a line."""
    return "\n".join(text for page in pages_of(pdf) for text in page)


def _stream(body: bytes) -> bytes:
    found = _STREAM.search(body)
    assert found is not None
    head = body[: found.start()]
    return zlib.decompress(found[1]) if b"/FlateDecode" in head else found[1]


def _fonts(objects: dict[bytes, bytes]) -> dict[bytes, dict[int, str]]:
    """From a font's name on the pages to its letters by code."""
    fonts = {}
    for body in objects.values():
        for name, number in re.findall(rb"/(F\d+) (\d+) 0 R", body):
            unicode = re.search(rb"/ToUnicode (\d+) 0 R", objects[number])
            assert unicode is not None
            pairs = re.findall(
                rb"<([0-9A-Fa-f]{4})> <([0-9A-Fa-f]+)>", _stream(objects[unicode[1]])
            )
            fonts[name] = {
                int(code, 16): bytes.fromhex(text.decode()).decode("utf-16-be")
                for code, text in pairs
            }
    return fonts


def _texts(content: bytes, fonts: dict[bytes, dict[int, str]]) -> list[str]:
    texts, font = [], b""
    for name, shown in _SHOWN.findall(content):
        if name:
            font = name
            continue
        raw = _ESCAPED.sub(lambda each: _CONTROL.get(each[1], each[1]), shown)
        codes = [int.from_bytes(raw[at : at + 2]) for at in range(0, len(raw), 2)]
        texts.append("".join(fonts[font].get(code, chr(code)) for code in codes))
    return texts
