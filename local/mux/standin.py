"""A Mux account on this machine: what is in it, what happens to it with time, whom it tells."""

from __future__ import annotations

import json
import secrets
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import urlsplit
from uuid import uuid4

from local.mux.lengths import seconds_of
from studypack.core.telemetry import get_logger
from studypack.integrations.mux import signatures

_STEP_SECONDS: Final = 0.05
_TRIES: Final = 8
_CAPTION_FILES: Final = (".vtt", ".srt")

Document = dict[str, Any]


class Refused(Exception):
    """What Mux would answer instead: status and its sentence."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


@dataclass(frozen=True)
class Endpoint:
    """Where events go, and the secret that they are signed with."""

    url: str
    secret: str


@dataclass
class _Delivery:
    event: Document
    due: float
    tries: int = 0


@dataclass
class StandIn:
    """An account.

    `base_url` is where it is reached, `public_keys` (PEM) by id check who may watch, `samples` says
    how long a video is that was not sent here, None if there is none of that playback id;
    `seconds`: how long it works on each file. Without `start`, work is done by `work_off` and
    events are only listed.
    """

    base_url: str
    token: tuple[str, str]
    public_keys: Mapping[str, str]
    endpoints: tuple[Endpoint, ...] = ()
    samples: Callable[[str], int | None] = lambda _playback_id: None
    seconds: float = 1.0
    now: Callable[[], float] = time.time
    uploads: dict[str, Document] = field(default_factory=dict)
    assets: dict[str, Document] = field(default_factory=dict)
    events: list[Document] = field(default_factory=list)
    """Every event so far, oldest first."""

    def __post_init__(self) -> None:
        self._lock = threading.RLock()
        self._work: list[tuple[float, Callable[[], None]]] = []
        self._deliveries: list[_Delivery] = []
        self._parts: dict[str, bytearray] = {}
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None

    # Time -----------------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin to work and to tell."""
        self._thread = threading.Thread(target=self._run, name="mux", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop; what was not told is forgotten."""
        self._stopped.set()
        if self._thread is not None:
            self._thread.join()

    def work_off(self) -> None:
        """Do at once whatever takes a while."""
        while self._work:
            self._work_due(float("inf"))

    def _run(self) -> None:
        while not self._stopped.wait(_STEP_SECONDS):
            self._work_due(time.monotonic())
            self._deliver_due(time.monotonic())

    def _work_due(self, until: float) -> None:
        with self._lock:
            due = [work for at, work in self._work if at <= until]
            self._work = [each for each in self._work if each[0] > until]
            for work in due:
                work()

    def _later(self, work: Callable[[], None]) -> None:
        self._work.append((time.monotonic() + self.seconds, work))

    # The API --------------------------------------------------------------------------------------

    def create_upload(self, body: Mapping[str, Any]) -> Document:
        settings = body.get("new_asset_settings") or {}
        if not isinstance(settings, dict):
            raise Refused(400, "new_asset_settings is no object")
        for policy in settings.get("playback_policies") or ():
            if policy not in {"public", "signed"}:
                raise Refused(400, f"unknown playback policy {policy}")
        if len(str(settings.get("passthrough") or "")) > 255:
            raise Refused(400, "passthrough is too long")
        seconds = body.get("timeout", 3600)
        if not isinstance(seconds, int) or not 60 <= seconds <= 604_800:
            raise Refused(400, "timeout is out of range")
        upload_id = _new_id()
        upload = {
            "id": upload_id,
            "timeout": seconds,
            "status": "waiting",
            "new_asset_settings": settings,
            "cors_origin": body.get("cors_origin"),
            "url": f"{self.base_url}/upload/{upload_id}",
        }
        with self._lock:
            self.uploads[upload_id] = {**upload, "expires": self.now() + seconds}
            self._tell("video.upload.created", "upload", upload_id, _shown(upload))
        return upload

    def upload(self, upload_id: str) -> Document:
        with self._lock:
            upload = self._upload(upload_id)
            if upload["status"] == "waiting" and self.now() > upload["expires"]:
                upload["status"] = "timed_out"
            return _shown(upload)

    def cancel_upload(self, upload_id: str) -> Document:
        with self._lock:
            upload = self._upload(upload_id)
            if upload["status"] != "waiting":
                raise Refused(403, f"the upload is {upload['status']}")
            upload["status"] = "cancelled"
            self._tell("video.upload.cancelled", "upload", upload_id, _shown(upload))
            return _shown(upload)

    def asset(self, asset_id: str) -> Document:
        with self._lock:
            return _copy(self._asset(asset_id))

    def delete_asset(self, asset_id: str) -> None:
        with self._lock:
            asset = self._asset(asset_id)
            del self.assets[asset_id]
            self._tell("video.asset.deleted", "asset", asset_id, asset)

    def create_track(self, asset_id: str, body: Mapping[str, Any]) -> Document:
        """A track of text; its file is not fetched, its ending decides what becomes of it."""
        with self._lock:
            asset = self._ready(asset_id)
            if body.get("type") != "text" or not isinstance(body.get("url"), str):
                raise Refused(400, "a track of text has a type and a url")
            usable = urlsplit(body["url"]).path.lower().endswith(_CAPTION_FILES)
            return self._add_track(asset, body, source="uploaded", usable=usable)

    def generate_subtitles(
        self, asset_id: str, track_id: str, body: Mapping[str, Any]
    ) -> list[Document]:
        with self._lock:
            asset = self._ready(asset_id)
            if not any(
                track["id"] == track_id and track["type"] == "audio" for track in asset["tracks"]
            ):
                raise Refused(404, "no such track of sound")
            wanted = body.get("generated_subtitles") or []
            return [
                self._add_track(asset, each, source="generated_vod", usable=True) for each in wanted
            ]

    # The file, and what becomes of it -------------------------------------------------------------

    def receive(self, upload_id: str, content: bytes, *, start: int = 0, total: int = -1) -> bool:
        """Take a file, or a part of it that begins at `start` of `total` bytes; whether it is
        whole.
        """
        with self._lock:
            upload = self._upload(upload_id)
            if upload["status"] != "waiting" or self.now() > upload["expires"]:
                raise Refused(403, "the address is not valid any more")
            held = self._parts.setdefault(upload_id, bytearray())
            if start == 0:
                held.clear()
            if start != len(held):
                raise Refused(400, "parts come in order")
            held += content
            if total >= 0 and len(held) < total:
                return False
            self._make_asset(upload, bytes(self._parts.pop(upload_id)))
            return True

    def _make_asset(self, upload: Document, content: bytes) -> None:
        settings = upload["new_asset_settings"]
        asset_id = _new_id()
        asset: Document = {
            "id": asset_id,
            "status": "preparing",
            "created_at": str(int(self.now())),
            "passthrough": settings.get("passthrough"),
            "upload_id": upload["id"],
            "playback_ids": [
                {"id": _new_id(), "policy": policy}
                for policy in settings.get("playback_policies") or ()
            ],
            "tracks": [],
            "video_quality": settings.get("video_quality", "basic"),
            "master_access": "none",
            "ingest_type": "on_demand_direct_upload",
        }
        self.assets[asset_id] = asset
        upload |= {"status": "asset_created", "asset_id": asset_id}
        self._tell("video.asset.created", "asset", asset_id, asset)
        self._tell("video.upload.asset_created", "upload", upload["id"], _shown(upload))
        seconds = seconds_of(content)
        self._later(lambda: self._finish(asset_id, seconds))

    def _finish(self, asset_id: str, seconds: float | None) -> None:
        asset = self.assets.get(asset_id)
        if asset is None:
            return
        if seconds is None:
            asset["status"] = "errored"
            asset["errors"] = {
                "type": "invalid_input",
                "messages": ["The input file is not a video that this stand-in knows."],
            }
        else:
            asset |= {
                "status": "ready",
                "duration": seconds,
                "aspect_ratio": "16:9",
                "resolution_tier": "1080p",
                "tracks": [
                    {"id": _new_id(), "type": "video", "duration": seconds},
                    {"id": _new_id(), "type": "audio", "duration": seconds},
                    *asset["tracks"],
                ],
            }
        self._tell(f"video.asset.{asset['status']}", "asset", asset_id, asset)

    def _add_track(
        self, asset: Document, given: Mapping[str, Any], *, source: str, usable: bool
    ) -> Document:
        language, name = given.get("language_code"), given.get("name")
        if not language:
            raise Refused(400, "a track of text has a language_code")
        texts = [track for track in asset["tracks"] if track["type"] == "text"]
        if any(track["name"] == (name or language) for track in texts):
            raise Refused(400, "there is a track of this name")
        track = {
            "id": _new_id(),
            "type": "text",
            "text_type": "subtitles",
            "text_source": source,
            "language_code": language,
            "name": name or language,
            "status": "preparing",
        }
        asset["tracks"].append(track)
        about = {"asset_id": asset["id"]}
        self._tell("video.asset.track.created", "track", track["id"], {**track, **about})

        def finish() -> None:
            track["status"] = "ready" if usable else "errored"
            kind = f"video.asset.track.{track['status']}"
            self._tell(kind, "track", track["id"], {**track, **about})

        self._later(finish)
        return dict(track)

    # Watching -------------------------------------------------------------------------------------

    def watchable_seconds(self, playback_id: str) -> float:
        """How long the video of a playback id is. Raises Refused (404)."""
        with self._lock:
            for asset in self.assets.values():
                if asset["status"] == "ready" and any(
                    each["id"] == playback_id for each in asset["playback_ids"]
                ):
                    return float(asset["duration"])
        seconds = self.samples(playback_id)
        if seconds is None:
            raise Refused(404, "there is no such playback id")
        return float(seconds)

    def check_token(self, token: str | None, playback_id: str, audience: str) -> None:
        """Raise Refused (403) unless somebody with our signing key lets this be watched now."""
        from joserfc import jws, jwt
        from joserfc.errors import JoseError
        from joserfc.jwk import RSAKey

        if not token:
            raise Refused(403, "a token is needed")
        try:
            key_id = jws.extract_compact(token.encode()).headers().get("kid")
            pem = self.public_keys.get(str(key_id))
            if pem is None:
                raise Refused(403, "the token is signed with another key")
            claims = jwt.decode(token, RSAKey.import_key(pem), algorithms=["RS256"]).claims
        except (JoseError, ValueError, UnicodeError) as error:
            raise Refused(403, f"the token is none of ours ({type(error).__name__})") from None
        if claims.get("sub") != playback_id or claims.get("aud") != audience:
            raise Refused(403, "the token is for something else")
        until = claims.get("exp")
        if not isinstance(until, int | float) or until <= self.now():
            raise Refused(403, "the token has expired")

    # Events ---------------------------------------------------------------------------------------

    def signed(self, event: Mapping[str, Any], secret: str) -> tuple[bytes, dict[str, str]]:
        """An event as it is sent: body and headers."""
        body = json.dumps(event).encode()
        signature = signatures.sign(body, secret, at=int(self.now()))
        return body, {"Content-Type": "application/json", signatures.HEADER: signature}

    def _tell(self, kind: str, about: str, id: str, data: Mapping[str, Any]) -> None:
        moment = datetime.fromtimestamp(int(self.now()), UTC)
        event: Document = {
            "type": kind,
            "id": str(uuid4()),
            "created_at": moment.strftime("%Y-%m-%dT%H:%M:%S.000000Z"),
            "object": {"type": about, "id": id},
            "environment": {"name": "Local", "id": "local"},
            "data": _copy(data),
            "request_id": None,
            "attempts": [],
        }
        self.events.append(event)
        self._deliveries.append(_Delivery(event, time.monotonic()))

    def _deliver_due(self, until: float) -> None:
        with self._lock:
            due = [each for each in self._deliveries if each.due <= until]
            self._deliveries = [each for each in self._deliveries if each.due > until]
        for delivery in due:
            if all(self._deliver(delivery.event, endpoint) for endpoint in self.endpoints):
                continue
            delivery.tries += 1
            delivery.due = time.monotonic() + 2.0**delivery.tries / 2
            if delivery.tries < _TRIES:
                with self._lock:
                    self._deliveries.append(delivery)

    def _deliver(self, event: Document, endpoint: Endpoint) -> bool:
        import urllib3

        body, headers = self.signed(event, endpoint.secret)
        try:
            answer = urllib3.request(
                "POST", endpoint.url, body=body, headers=headers, retries=False, timeout=10
            )
        except urllib3.exceptions.HTTPError as error:
            get_logger().warning("no answer to a webhook", extra={"kind": type(error).__name__})
            return False
        return 200 <= answer.status < 300

    def _upload(self, upload_id: str) -> Document:
        if upload_id not in self.uploads:
            raise Refused(404, "there is no such upload")
        return self.uploads[upload_id]

    def _asset(self, asset_id: str) -> Document:
        if asset_id not in self.assets:
            raise Refused(404, "there is no such asset")
        return self.assets[asset_id]

    def _ready(self, asset_id: str) -> Document:
        asset = self._asset(asset_id)
        if asset["status"] != "ready":
            raise Refused(400, "the asset is not ready")
        return asset


def _new_id() -> str:
    return secrets.token_urlsafe(32).replace("-", "0").replace("_", "0")


def _copy(data: Mapping[str, Any]) -> Document:
    copied: Document = json.loads(json.dumps(data))
    return copied


def _shown(upload: Mapping[str, Any]) -> Document:
    return {name: value for name, value in upload.items() if name not in {"expires", "url"}}
