"""The stand-in over HTTP: the API, the pages, the controls."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route

from local.stripe import api, control, pages
from local.stripe.standin import StandIn

METHODS = ["GET", "POST", "DELETE"]


def application(standin: StandIn) -> Starlette:
    """An ASGI application, to be served or mounted at the stand-in's base URL."""

    async def rest(request: Request) -> Response:
        body = (await request.body()).decode()
        query = request.url.query
        encoded = body if request.method == "POST" else "&".join(filter(None, (query, body)))
        scheme, _, key = request.headers.get("authorization", "").partition(" ")
        asked = api.Request(
            method=request.method,
            path=f"/v1/{request.path_params['rest']}",
            encoded=encoded,
            key=key if scheme.lower() == "bearer" else None,
            version=request.headers.get("stripe-version"),
            idempotency_key=request.headers.get("idempotency-key"),
        )
        answer = await run_in_threadpool(standin.answer, asked)
        return JSONResponse(answer.document, answer.status, answer.headers)

    return Starlette(
        routes=[
            Route("/v1/{rest:path}", rest, methods=METHODS),
            Mount("/_control", routes=control.routes(standin)),
            *pages.routes(standin),
        ]
    )
