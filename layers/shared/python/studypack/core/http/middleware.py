"""Checks on every request before a route sees it, in pure ASGI (BaseHTTPMiddleware costs twice
as much).
"""

from __future__ import annotations

import re
import time
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from studypack.core.config import ConfigurationError, get_settings
from studypack.core.errors import AppError, BadRequest, ContentTooLarge, Forbidden
from studypack.core.http.edge import admit
from studypack.core.http.problems import app_error, configuration_outage, unexpected
from studypack.core.ids import uuid7
from studypack.core.telemetry import begin_request, get_logger

SESSION_COOKIE = "studypack_session"
_SAFE_METHODS = {"GET", "HEAD", "OPTIONS"}
_SIGNED_LINKS = {"/api/email/unsubscribe"}
"""What they do rests on their token alone, whoever is signed in, so any page may lead there; one
that sends no referrer posts to them with the origin `null`.
"""
_LARGE_BODIES = {"/api/admin/courses/import": 4 * 1024 * 1024}
"""Bytes, where a body is a file."""
_JSON_NUL = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")
_HEADERS = {
    "Cache-Control": "no-store",
    # An answer is data: opened as a page it may load, run, embed and be embedded in nothing.
    "Content-Security-Policy": (
        "default-src 'none'; object-src 'none'; base-uri 'none'; frame-ancestors 'none'; sandbox"
    ),
    "Cross-Origin-Resource-Policy": "same-site",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
_TWO_YEARS = 2 * 365 * 24 * 3600
_ONLY_HTTPS = f"max-age={_TWO_YEARS}; includeSubDomains"


class RequestGate:
    """Bounds the body, refuses text PostgreSQL cannot hold, checks Origin, logs one line a
    request.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        request_id = _request_id(scope)
        facts = begin_request()
        started = time.perf_counter()
        status = 500
        answered = False

        async def answer(message: Message) -> None:
            nonlocal status, answered
            if message["type"] == "http.response.start":
                status, answered = message["status"], True
                response_headers = MutableHeaders(scope=message)
                response_headers["X-Request-Id"] = request_id
                for name, value in _HEADERS.items():
                    response_headers.setdefault(name, value)
                if not _on_one_machine():
                    response_headers["Strict-Transport-Security"] = _ONLY_HTTPS
            await send(message)

        try:
            admit(scope, headers)
            _check_text(scope)
            if scope["path"] not in _SIGNED_LINKS:
                _check_origin(scope["method"], headers)
            body = await _bounded_body(scope, headers, receive)
        except AppError as error:
            refusal = await app_error(Request(scope), error)
            await refusal(scope, receive, answer)
        except ConfigurationError as error:
            refusal = await app_error(Request(scope), configuration_outage(error))
            await refusal(scope, receive, answer)
        else:
            try:
                await self.app(scope, _replay(body, receive), answer)
            except Exception as error:
                # Starlette's own catch-all is outside of this, so its answer would bear no request
                # id, and it raises again, so that Mangum would log the error's text a second time.
                if answered:
                    raise
                fault = await unexpected(Request(scope), error)
                await fault(scope, receive, answer)
        finally:
            route = scope.get("route")
            get_logger().info(
                "request",
                extra={
                    "request_id": request_id,
                    "method": scope["method"],
                    "route": getattr(route, "path", None),
                    "status": status,
                    "milliseconds": round((time.perf_counter() - started) * 1000, 1),
                    **facts,
                },
            )


def _on_one_machine() -> bool:
    """Where there is no HTTPS; a setting that does not fit is no reason to go without."""
    try:
        return get_settings().stage == "local"
    except ConfigurationError:
        return False


def _request_id(scope: Scope) -> str:
    event = scope.get("aws.event")
    if event:
        return str(event.get("requestContext", {}).get("requestId") or uuid7())
    return str(uuid7())


def _check_text(scope: Scope) -> None:
    if "\x00" in scope["path"] or b"%00" in scope["query_string"]:
        raise BadRequest("The address contains a NUL character.", code="nul_character")


def _check_origin(method: str, headers: Headers) -> None:
    """Stop another site's page from writing with a learner's cookie (CSRF).

    Every browser sends Origin with a cross-site write; a bearer token is never sent by a browser on
    its own.
    """
    if method in _SAFE_METHODS:
        return
    origin = headers.get("origin")
    if origin is not None:
        if origin not in get_settings().origins and not _same_host(origin, headers):
            raise Forbidden("This origin may not write here.", code="origin_not_allowed")
    elif "authorization" not in headers and SESSION_COOKIE in headers.get("cookie", ""):
        raise Forbidden(
            "A write with a session cookie needs an Origin header.", code="origin_required"
        )


def _same_host(origin: str, headers: Headers) -> bool:
    return get_settings().stage in {"local", "test"} and urlsplit(origin).netloc == headers.get(
        "host"
    )


async def _bounded_body(scope: Scope, headers: Headers, receive: Receive) -> bytes:
    limit = max(get_settings().max_body_bytes, _LARGE_BODIES.get(scope["path"], 0))
    declared = headers.get("content-length", "")
    if declared.isdigit() and int(declared) > limit:
        raise _too_large(limit)
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            break
        part = message.get("body", b"")
        size += len(part)
        if size > limit:
            raise _too_large(limit)
        parts.append(part)
        if not message.get("more_body"):
            break
    body = b"".join(parts)
    if scope["path"] in _LARGE_BODIES:
        return body
    if b"\\u0000" in body and _JSON_NUL.search(body):
        raise BadRequest("Text may not contain the NUL character.", code="nul_character")
    return body


def _too_large(limit: int) -> ContentTooLarge:
    return ContentTooLarge(f"The body is larger than {limit} bytes.")


def _replay(body: bytes, receive: Receive) -> Receive:
    sent = False

    async def replay() -> Message:
        nonlocal sent
        if sent:
            return await receive()
        sent = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay
