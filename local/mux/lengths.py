"""How long a video is, as far as its file says so without being decoded. Pure."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator

UNREAD_SECONDS = 60.0
"""Of a kind of file whose length is not read here."""
_SAMPLE = re.compile(rb"\Aseconds=(\d{1,5}(?:\.\d{1,3})?)\s*\Z")
_MATROSKA = b"\x1aE\xdf\xa3"
_TRANSPORT_PACKET = 188


def seconds_of(content: bytes) -> float | None:
    """The length of a video; None for a file that is none.

    Besides MP4 and QuickTime files, whose length is read, a text `seconds=75` counts as a video
    of that length, so that one can be made without a camera.
    """
    sample = _SAMPLE.match(content[:64])
    if sample is not None:
        return float(sample[1]) or None
    if content[4:8] == b"ftyp":
        return _of_mp4(content)
    is_transport = content[:1] == b"\x47" and content[_TRANSPORT_PACKET:][:1] in {b"", b"\x47"}
    if content.startswith((_MATROSKA, b"RIFF")) or is_transport:
        return UNREAD_SECONDS
    return None


def _of_mp4(content: bytes) -> float | None:
    """ISO/IEC 14496-12: the movie header's duration in units of its time scale."""
    for kind, movie in _boxes(content):
        if kind != b"moov":
            continue
        for inner, header in _boxes(movie):
            if inner != b"mvhd" or len(header) < 32:
                continue
            layout, at = (">IQ", 20) if header[0] == 1 else (">II", 12)
            scale, units = struct.unpack_from(layout, header, at)
            return units / scale if scale and units else None
    return None


def _boxes(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = 0
    while at + 8 <= len(content):
        size, kind = struct.unpack_from(">I4s", content, at)
        begin = at + 8
        if size == 1 and at + 16 <= len(content):
            (size,) = struct.unpack_from(">Q", content, begin)
            begin += 8
        elif size == 0:
            size = len(content) - at
        if size < begin - at:
            return
        yield kind, content[begin : at + size]
        at += size
