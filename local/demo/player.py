"""A player of a lesson's video: it plays at double speed, as long as that takes, and says so."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from urllib.parse import urljoin, urlsplit

import httpx2

from local.demo.client import TIMEOUT_SECONDS, Device, Exchange, Unexpected
from local.demo.learner import Document

SPEED = 2.0
BEAT_SECONDS = 10


class Player:
    """One lesson's video on one device, from the first second on.

    It goes on by the clock, as a video does while its viewer looks at something else; `report`
    sends what was played since the last time.
    """

    def __init__(self, device: Device, lesson: Document) -> None:
        self.seconds: int = lesson["video"]["duration_seconds"]
        self.last: Exchange | None = None
        self._device = device
        self._path = f"/api/lessons/{lesson['id']}/progress"
        self._stream: str = lesson["video"]["stream_url"]
        self._http = httpx2.Client(timeout=TIMEOUT_SECONDS)
        self._segments: list[tuple[float, str]] = []
        """When each ends, and where it is; those still to be fetched."""
        self._reported = 0.0
        self._started = 0.0

    def close(self) -> None:
        """Give connections back."""
        self._http.close()

    def start(self) -> int:
        """Fetch the playlist and begin to play; how many segments it lists.

        Raises Unexpected when it is not as long as the lesson says.
        """
        end, listed = 0.0, self.fetch(self._stream).splitlines()
        for line in listed:
            if line.startswith("#EXTINF:"):
                end += float(line.removeprefix("#EXTINF:").rstrip(","))
            elif line and not line.startswith("#"):
                self._segments.append((end, urljoin(self._stream, line)))
        if abs(end - self.seconds) > 1:
            raise Unexpected(f"{self.seconds} s were promised, {end:.0f} s are listed", self.last)
        self._started = time.monotonic()
        return len(self._segments)

    @property
    def position(self) -> float:
        """The second that is played now."""
        return min((time.monotonic() - self._started) * SPEED, float(self.seconds))

    def report(self) -> Document:
        """Fetch what was played meanwhile, and send it as a player does: in ranges, a batch."""
        here = self.position
        while self._segments and self._segments[0][0] <= here:
            self.fetch(self._segments.pop(0)[1])
        beats: list[Document] = []
        while self._reported < here:
            start, self._reported = self._reported, min(self._reported + BEAT_SECONDS, here)
            beats.append({"from": round(start, 2), "to": round(self._reported, 2)})
        if beats:
            beats[-1]["at"] = datetime.now(UTC).isoformat()
        body = {"type": "heartbeats", "beats": beats, "position": round(here, 2)}
        state: Document = self._device.post(self._path, body)
        return state

    def fetch(self, address: str, *, expect: int = 200) -> str:
        """GET from where videos come from; raises Unexpected unless the status is this one."""
        answer = self._http.get(address)
        shown = f"{answer.headers.get('content-type', '')}, {len(answer.content)} bytes"
        told = answer.text if "json" in shown else shown
        self.last = Exchange("GET", urlsplit(address).path, None, answer.status_code, told)
        if answer.status_code != expect:
            raise Unexpected(f"{expect} was expected, {answer.status_code} came", self.last)
        return answer.text
