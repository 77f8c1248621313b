"""The stand-in over HTTP: Mux's API, the addresses of uploads, the delivery of videos."""

from __future__ import annotations

import base64
import binascii
import hmac
import json
import re
from collections.abc import Callable
from typing import Any, Final

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from local.mux.standin import Refused, StandIn

LARGEST: Final = 512 * 1024 * 1024
SEGMENT_SECONDS: Final = 6
_EMPTY_PACKET: Final = b"\x47\x1f\xff\x10" + b"\xff" * 184
"""MPEG transport stream, null packet: a segment that shows nothing."""
_RANGE: Final = re.compile(r"bytes (\d+)-(\d+)/(\d+)")

Answer = Callable[[Request], Any]


def application(standin: StandIn) -> Starlette:
    """Mux's paths below `/video/v1`; `/upload/{id}`; `/stream/...` for players."""
    api, player = _Api(standin), _Player(standin)
    return Starlette(
        routes=[
            Route("/video/v1/uploads", api.create_upload, methods=["POST"]),
            Route("/video/v1/uploads/{id}", api.get_upload, methods=["GET"]),
            Route("/video/v1/uploads/{id}/cancel", api.cancel_upload, methods=["PUT"]),
            Route("/video/v1/assets/{id}", api.get_asset, methods=["GET"]),
            Route("/video/v1/assets/{id}", api.delete_asset, methods=["DELETE"]),
            Route("/video/v1/assets/{id}/tracks", api.create_track, methods=["POST"]),
            Route(
                "/video/v1/assets/{id}/tracks/{track_id}/generate-subtitles",
                api.generate_subtitles,
                methods=["POST"],
            ),
            Route("/upload/{id}", api.receive, methods=["PUT"]),
            Route("/stream/{id}.m3u8", player.playlist, methods=["GET"]),
            Route("/stream/{id}/segment-{number:int}.ts", player.segment, methods=["GET"]),
            Route("/stream/{id}/thumbnail.jpg", player.thumbnail, methods=["GET"]),
            Route("/stream/{id}/storyboard.vtt", player.storyboard, methods=["GET"]),
        ],
        exception_handlers={Refused: _refused},  # type: ignore[dict-item]
    )


def _refused(_request: Request, error: Refused) -> Response:
    kinds = {400: "invalid_parameters", 401: "unauthorized", 403: "forbidden", 404: "not_found"}
    body = {"error": {"type": kinds.get(error.status, "error"), "messages": [error.message]}}
    return JSONResponse(body, error.status)


class _Api:
    def __init__(self, standin: StandIn) -> None:
        self._standin = standin

    async def create_upload(self, request: Request) -> Response:
        body = await self._admitted(request)
        return _data(await run_in_threadpool(self._standin.create_upload, body), 201)

    async def get_upload(self, request: Request) -> Response:
        await self._admitted(request)
        return _data(self._standin.upload(request.path_params["id"]))

    async def cancel_upload(self, request: Request) -> Response:
        await self._admitted(request)
        return _data(self._standin.cancel_upload(request.path_params["id"]))

    async def get_asset(self, request: Request) -> Response:
        await self._admitted(request)
        return _data(self._standin.asset(request.path_params["id"]))

    async def delete_asset(self, request: Request) -> Response:
        await self._admitted(request)
        self._standin.delete_asset(request.path_params["id"])
        return Response(status_code=204)

    async def create_track(self, request: Request) -> Response:
        body = await self._admitted(request)
        return _data(self._standin.create_track(request.path_params["id"], body), 201)

    async def generate_subtitles(self, request: Request) -> Response:
        body = await self._admitted(request)
        asset_id, track_id = request.path_params["id"], request.path_params["track_id"]
        return _data(self._standin.generate_subtitles(asset_id, track_id, body), 201)

    async def receive(self, request: Request) -> Response:
        """Whole, or in parts with `Content-Range`, which are answered 308 but for the last."""
        content = bytearray()
        async for block in request.stream():
            content += block
            if len(content) > LARGEST:
                raise Refused(413, "larger than this stand-in takes")
        start, total = 0, -1
        if "content-range" in request.headers:
            given = _RANGE.fullmatch(request.headers["content-range"])
            if given is None:
                raise Refused(400, "Content-Range cannot be read")
            start, total = int(given[1]), int(given[3])
        whole = await run_in_threadpool(
            self._standin.receive,
            request.path_params["id"],
            bytes(content),
            start=start,
            total=total,
        )
        if whole:
            return Response(status_code=200)
        return Response(status_code=308, headers={"Range": f"bytes=0-{start + len(content) - 1}"})

    async def _admitted(self, request: Request) -> dict[str, Any]:
        """The body of a request with the right token."""
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        try:
            pair = base64.b64decode(given, validate=True).decode()
        except (binascii.Error, UnicodeDecodeError):
            pair = ""
        if scheme != "Basic" or not hmac.compare_digest(
            pair.encode(), ":".join(self._standin.token).encode()
        ):
            raise Refused(401, "the token is not right")
        raw = await request.body()
        try:
            body = json.loads(raw) if raw else {}
        except ValueError:
            raise Refused(400, "no JSON") from None
        if not isinstance(body, dict):
            raise Refused(400, "no object")
        return body


class _Player:
    def __init__(self, standin: StandIn) -> None:
        self._standin = standin

    def playlist(self, request: Request) -> Response:
        """A playlist as long as the video."""
        playback_id, token, seconds = self._admitted(request, "v")
        lines = [
            "#EXTM3U",
            "#EXT-X-VERSION:3",
            f"#EXT-X-TARGETDURATION:{SEGMENT_SECONDS}",
            "#EXT-X-PLAYLIST-TYPE:VOD",
        ]
        number, left = 0, seconds
        while left > 0:
            lines.append(f"#EXTINF:{min(left, SEGMENT_SECONDS):.3f},")
            lines.append(f"{playback_id}/segment-{number}.ts?token={token}")
            number, left = number + 1, left - SEGMENT_SECONDS
        lines.append("#EXT-X-ENDLIST")
        text = "\n".join(lines) + "\n"
        return Response(text, media_type="application/vnd.apple.mpegurl")

    def segment(self, request: Request) -> Response:
        _, _, seconds = self._admitted(request, "v")
        if request.path_params["number"] * SEGMENT_SECONDS >= seconds:
            raise Refused(404, "the video is not that long")
        return Response(_EMPTY_PACKET * 7, media_type="video/mp2t")

    def thumbnail(self, request: Request) -> Response:
        """No picture of the video, which nobody decoded: a plain one with its length."""
        _, _, seconds = self._admitted(request, "t")
        minutes, rest = divmod(round(seconds), 60)
        picture = (
            '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 640 360">'
            '<rect width="640" height="360" fill="#223"/>'
            '<path d="M280 130v100l90-50z" fill="#fff"/>'
            '<text x="620" y="340" fill="#fff" font-family="sans-serif" font-size="28"'
            f' text-anchor="end">{minutes}:{rest:02}</text></svg>'
        )
        return Response(picture, media_type="image/svg+xml")

    def storyboard(self, request: Request) -> Response:
        self._admitted(request, "s")
        return Response("WEBVTT\n", media_type="text/vtt")

    def _admitted(self, request: Request, audience: str) -> tuple[str, str, float]:
        playback_id = request.path_params["id"]
        token = request.query_params.get("token")
        seconds = self._standin.watchable_seconds(playback_id)
        self._standin.check_token(token, playback_id, audience)
        return playback_id, token or "", seconds


def _data(data: Any, status: int = 200) -> Response:
    return JSONResponse({"data": data}, status)
