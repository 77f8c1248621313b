"""Webhooks on the local server: each request becomes an event of API Gateway's, and the Lambda
handler that template.yaml names answers it.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from local import template as sam
from local.invoke import context_for, load_handler


def routes(template: sam.Template) -> list[Route]:
    """A route for each webhook of the template."""
    return [
        Route(route.path, _endpoint(function), methods=[route.method])
        for function in template.of_kind(sam.Kind.WEBHOOK)
        for route in function.routes
    ]


def _endpoint(function: sam.Function) -> Callable[[Request], Any]:
    async def answer(request: Request) -> Response:
        event = gateway_event(request, await request.body())
        given = await run_in_threadpool(_call, function, event)
        body = given.get("body") or ""
        content = base64.b64decode(body) if given.get("isBase64Encoded") else body
        return Response(content, given["statusCode"], given.get("headers"))

    return answer


def _call(function: sam.Function, event: dict[str, Any]) -> dict[str, Any]:
    answer: dict[str, Any] = load_handler(function)(event, context_for(function))
    return answer


def gateway_event(request: Request, body: bytes) -> dict[str, Any]:
    """The request in the format 2.0 of an HTTP API's events.

    A body that is not text comes in base64, as it does there.
    """
    try:
        text, encoded = body.decode(), False
    except UnicodeDecodeError:
        text, encoded = base64.b64encode(body).decode(), True
    path = request.url.path
    return {
        "version": "2.0",
        "routeKey": f"{request.method} {path}",
        "rawPath": path,
        "rawQueryString": request.url.query,
        "headers": {name.lower(): value for name, value in request.headers.items()},
        "requestContext": {
            "http": {
                "method": request.method,
                "path": path,
                "sourceIp": request.client.host if request.client else "127.0.0.1",
            },
            "stage": "$default",
        },
        "body": text,
        "isBase64Encoded": encoded,
    }
