"""Mux's API for videos, as far as we need it: direct uploads, assets, tracks of text.

Never call it inside of a transaction: it waits for another service while rows are locked.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from studypack.core.config import get_settings
from studypack.core.errors import Conflict, Unavailable
from studypack.core.telemetry import get_logger
from studypack.integrations.mux.settings import API_BASE, api_token

if TYPE_CHECKING:
    from urllib3 import PoolManager

CONNECT_SECONDS: Final = 3.0
ANSWER_SECONDS: Final = 9.0
MAX_BYTES: Final = 1024 * 1024
_NOT_FOUND: Final = 404
_CLIENT_ERRORS: Final = range(400, 500)
_TRY_LATER: Final = {401, 403, 408, 425, 429}
"""Our token, or our pace: nothing that other input would mend."""


@dataclass(frozen=True)
class DirectUpload:
    """Where a browser may send a video's file."""

    id: str
    url: str
    seconds: int
    """How long, from when it was made."""


@dataclass(frozen=True)
class Track:
    """A track of an asset."""

    id: str
    type: str
    """`text`, `audio`, `video`."""
    language: str | None
    name: str | None
    status: str


class _Missing(Unavailable):
    """There is no such thing at Mux; where that says nothing, it is as good as out of reach."""


def create_upload(*, passthrough: str, cors_origin: str, seconds: int) -> DirectUpload:
    """Begin a direct upload, whose video may be watched by signed links alone.

    `passthrough` comes back in the asset's events. Raises Unavailable (`video_unavailable`),
    Conflict (`video_refused`), ConfigurationError.
    """
    data = _call(
        "POST",
        "/video/v1/uploads",
        {
            "timeout": seconds,
            "cors_origin": cors_origin,
            "new_asset_settings": {
                "playback_policies": ["signed"],
                "passthrough": passthrough,
                "video_quality": "basic",
            },
        },
    )
    return DirectUpload(_text(data, "id"), _text(data, "url"), int(data.get("timeout") or seconds))


def clear_upload(upload_id: str) -> None:
    """See to it that nothing comes of a direct upload: it is cancelled, or its asset is deleted.
    Again changes nothing.

    Raises Unavailable (`video_unavailable`), Conflict (`video_refused`), ConfigurationError.
    """
    path = f"/video/v1/uploads/{quote(upload_id, safe='')}"
    try:
        upload = _call("GET", path)
        if upload.get("status") == "waiting":
            try:
                _call("PUT", f"{path}/cancel")
                return
            except Conflict:  # the file arrived meanwhile
                upload = _call("GET", path)
    except _Missing:
        return
    asset_id = upload.get("asset_id")
    if isinstance(asset_id, str) and asset_id:
        delete_asset(asset_id)


def find_upload(upload_id: str) -> dict[str, Any] | None:
    """A direct upload as Mux has it; None if it knows of none.

    Raises Unavailable (`video_unavailable`), Conflict (`video_refused`), ConfigurationError.
    """
    return _find(f"/video/v1/uploads/{quote(upload_id, safe='')}")


def find_asset(asset_id: str) -> dict[str, Any] | None:
    """A video as Mux has it; None if it knows of none.

    Raises Unavailable (`video_unavailable`), Conflict (`video_refused`), ConfigurationError.
    """
    return _find(f"/video/v1/assets/{quote(asset_id, safe='')}")


def _find(path: str) -> dict[str, Any] | None:
    try:
        return _call("GET", path)
    except _Missing:
        return None


def delete_asset(asset_id: str) -> None:
    """Delete a video for good; again changes nothing.

    Raises Unavailable (`video_unavailable`), Conflict (`video_refused`), ConfigurationError.
    """
    try:
        _call("DELETE", f"/video/v1/assets/{quote(asset_id, safe='')}")
    except _Missing:
        return


def add_captions(asset_id: str, *, url: str, language: str, name: str) -> Track:
    """Let Mux fetch a file of captions (SRT or WebVTT) for a video that is ready.

    Raises Unavailable (`video_unavailable`), Conflict (`video_refused`, `video_gone`),
    ConfigurationError.
    """
    return _track(
        _of_asset(
            "POST",
            f"/video/v1/assets/{quote(asset_id, safe='')}/tracks",
            {
                "url": url,
                "type": "text",
                "text_type": "subtitles",
                "closed_captions": True,
                "language_code": language,
                "name": name,
            },
        )
    )


def generate_captions(asset_id: str, *, language: str, name: str) -> Track:
    """Let Mux write captions from what is said in a video that is ready.

    Raises Unavailable (`video_unavailable`), Conflict (`video_refused`, `video_gone`,
    `video_silent`), ConfigurationError.
    """
    path = f"/video/v1/assets/{quote(asset_id, safe='')}"
    tracks = _of_asset("GET", path).get("tracks") or []
    audio = [track for track in tracks if isinstance(track, dict) and track.get("type") == "audio"]
    if not audio:
        raise Conflict("The video has no sound to write captions from.", code="video_silent")
    wanted = {"generated_subtitles": [{"language_code": language, "name": name}]}
    made = _of_asset(
        "POST", f"{path}/tracks/{quote(_text(audio[0], 'id'), safe='')}/generate-subtitles", wanted
    )
    # Mux answers the list of what it began.
    first = made.get("items")
    return _track(first[0] if isinstance(first, list) and first else made)


def _of_asset(method: str, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
    try:
        return _call(method, path, body)
    except _Missing:
        raise Conflict("The video is not at Mux any more.", code="video_gone") from None


def _track(data: Mapping[str, Any]) -> Track:
    return Track(
        id=_text(data, "id"),
        type=str(data.get("type") or "text"),
        language=data.get("language_code"),
        name=data.get("name"),
        status=str(data.get("status") or "preparing"),
    )


def _text(data: Mapping[str, Any], name: str) -> str:
    value = data.get(name)
    if not isinstance(value, str) or not value:
        raise _unavailable("answer without " + name)
    return value


@lru_cache(maxsize=1)
def _pool() -> PoolManager:
    """No retries: what was begun twice would have to be cleared twice, and a person waits."""
    from urllib3 import PoolManager

    return PoolManager(retries=False)


def _call(method: str, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The `data` of Mux's answer; a list comes as `items`."""
    from urllib3 import Timeout, make_headers
    from urllib3.exceptions import HTTPError

    token = api_token()
    base = (get_settings().mux_api_base or API_BASE).rstrip("/")
    headers = make_headers(basic_auth=f"{token.id}:{token.secret}", user_agent="StudyPack")
    headers["Accept"] = "application/json"
    if body is not None:
        headers["Content-Type"] = "application/json"
    until = time.monotonic() + CONNECT_SECONDS + ANSWER_SECONDS
    try:
        response = _pool().request(
            method,
            base + path,
            body=None if body is None else json.dumps(body),
            headers=headers,
            redirect=False,
            preload_content=False,
            timeout=Timeout(connect=CONNECT_SECONDS, read=ANSWER_SECONDS),
        )
        try:
            answer = bytearray()
            while block := response.read1(16 * 1024):
                answer += block
                # Each read has its own limit, so an answer that drips would never reach it.
                if len(answer) > MAX_BYTES or time.monotonic() > until:
                    raise _unavailable("answer too long")
        finally:
            response.close()
    except (HTTPError, OSError) as error:
        raise _unavailable(type(error).__name__) from None
    return _data(method, path, response.status, bytes(answer))


def _data(method: str, path: str, status: int, answer: bytes) -> dict[str, Any]:
    """Mux's own sentences are neither shown nor logged: they may quote what was sent."""
    if status == _NOT_FOUND:
        raise _Missing("Videos are not available at the moment.", code="video_unavailable")
    if status in _CLIENT_ERRORS and status not in _TRY_LATER:
        get_logger().warning(
            "mux refused", extra={"method": method, "path": path, "http_status": status}
        )
        raise Conflict("The video provider refused this.", code="video_refused")
    if not 200 <= status < 300:
        raise _unavailable(f"status {status}")
    if not answer:
        return {}
    try:
        data = json.loads(answer)["data"]
    except (ValueError, RecursionError, KeyError, TypeError):
        raise _unavailable("no JSON") from None
    if isinstance(data, list):
        return {"items": data}
    return data if isinstance(data, dict) else {}


def _unavailable(why: str) -> Unavailable:
    get_logger().warning("mux unavailable", extra={"reason": why})
    return Unavailable(
        "Videos are not available at the moment; try again.", code="video_unavailable"
    )
