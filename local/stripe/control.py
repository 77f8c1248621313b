"""What Stripe's dashboard and the world outside would do: JSON over HTTP, or our pages' forms."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from local.stripe.account import DAY
from local.stripe.errors import ApiError
from local.stripe.objects import clocks
from local.stripe.standin import Endpoint, StandIn

Body = dict[str, Any]


def foreign(request: Request) -> bool:
    """Whether a page of another site sent this: none may, though this machine's browser can."""
    origin = request.headers.get("origin")
    if origin in {None, "null"}:
        # A browser hides the origin where it doesn't trust the way; then the site says enough.
        return request.headers.get("sec-fetch-site", "none") not in {"none", "same-origin"}
    return urlsplit(origin).netloc != request.headers.get("host")


def _truth(value: Any) -> bool:
    if value in (True, "true"):
        return True
    if value in (False, "false"):
        return False
    raise ValueError(f"neither true nor false: {value}")


def _seconds(body: Body) -> int:
    return int(float(body.get("seconds", 0)) + DAY * float(body.get("days", 0)))


def _moment(body: Body) -> int | None:
    return int(body["to"]) if "to" in body else None


def _advance_clock(standin: StandIn, body: Body, identifier: str) -> Body:
    with standin.lock:
        clock = standin.account.need("test_helpers.test_clock", identifier)
        target = _moment(body) or clock["frozen_time"] + _seconds(body)
        if target <= clock["frozen_time"]:
            raise ApiError("Time goes forward only.")
        done = clocks.advance_to(standin.account, clock, target)
        standin.account.store.commit()
        return {"done": done, "frozen_time": clock["frozen_time"]}


def _switch(standin: StandIn, body: Body) -> Body:
    kinds = standin.switches.as_dict()
    changes: Body = {}
    for name, value in body.items():
        known = kinds.get(name)
        if not isinstance(value, str) or isinstance(known, str) or known is None:
            changes[name] = value
        elif isinstance(known, bool):
            changes[name] = _truth(value)
        elif isinstance(known, list):
            parts = value.replace(",", " ").split()
            changes[name] = [int(each) for each in parts] if name == "retry_days" else parts
        else:
            changes[name] = type(known)(value)
    return standin.set_switches(changes).as_dict()


def _pay(standin: StandIn, body: Body, identifier: str) -> Body:
    taken = {"number", "email", "name", "kind", "saved"}
    given = {key: value for key, value in body.items() if key in taken}
    return {"status": standin.pay(identifier, **given)}


def _deliveries(standin: StandIn, body: Body, identifier: str) -> Body:
    with standin.lock:
        return {"deliveries": [dict(each) for each in standin.delivery.of(identifier)]}


def _done(act: Callable[..., object]) -> Callable[..., Body]:
    def with_answer(*arguments: Any) -> Body:
        act(*arguments)
        return {"done": True}

    return with_answer


ACTIONS: dict[str, tuple[str, Callable[..., Body]]] = {
    "/switches": ("PUT POST", _switch),
    "/flush": (
        "POST",
        lambda standin, body: {"flushed": standin.flush(float(body.get("timeout_seconds", 20)))},
    ),
    "/endpoints": (
        "POST",
        lambda standin, body: {
            "id": standin.add_endpoint(
                Endpoint(body["url"], body["secret"], tuple(body.get("events", ["*"])))
            )
        },
    ),
    "/events/{id}/resend": (
        "POST",
        lambda standin, _body, identifier: {"endpoints": standin.resend(identifier)},
    ),
    "/events/{id}/deliveries": ("GET", _deliveries),
    "/sessions/{id}/pay": ("POST", _pay),
    "/payment_intents/{id}/settle": (
        "POST",
        _done(
            lambda standin, body, identifier: standin.settle(
                identifier, succeeded=_truth(body.get("succeeded", True))
            )
        ),
    ),
    "/payment_intents/{id}/authenticate": (
        "POST",
        _done(
            lambda standin, body, identifier: standin.authenticate(
                identifier, passed=_truth(body.get("passed", True))
            )
        ),
    ),
    "/charges/{id}/dispute": (
        "POST",
        lambda standin, body, identifier: {
            "dispute": standin.dispute(identifier, reason=body.get("reason", "fraudulent"))
        },
    ),
    "/disputes/{id}/close": (
        "POST",
        _done(
            lambda standin, body, identifier: standin.close_dispute(
                identifier, won=_truth(body.get("won", False))
            )
        ),
    ),
    "/customers/{id}/advance": (
        "POST",
        lambda standin, body, identifier: {
            "done": standin.advance(identifier, to=_moment(body), seconds=_seconds(body))
        },
    ),
    "/customers/{id}/card": (
        "POST",
        lambda standin, body, identifier: {
            "payment_method": standin.replace_card(identifier, body["number"])
        },
    ),
    "/clocks/{id}/advance": ("POST", _advance_clock),
}
"""What can be done, by path; the paths' ids are given after the body."""


async def _body(request: Request) -> Body:
    raw = await request.body()
    if not raw:
        return {}
    if "json" in request.headers.get("content-type", ""):
        given = await request.json()
        if not isinstance(given, dict):
            raise ValueError("the body is no object")
        return given
    return dict(parse_qsl(raw.decode()))


def routes(standin: StandIn) -> list[Route]:
    """Under /_control."""

    def route(path: str, methods: str, act: Callable[..., Body]) -> Route:
        async def endpoint(request: Request) -> Response:
            if foreign(request):
                return JSONResponse({"error": "not from another site"}, 403)
            try:
                body = await _body(request)
                ids = request.path_params.values()
                done = await run_in_threadpool(act, standin, body, *ids)
            except ApiError as error:
                return JSONResponse({"error": error.error}, error.status)
            except (ValueError, KeyError, TypeError) as error:
                return JSONResponse({"error": f"{type(error).__name__}: {error}"}, 400)
            if "text/html" in request.headers.get("accept", ""):
                return RedirectResponse(f"{urlsplit(standin.account.base_url).path}/", 303)
            return JSONResponse(done)

        return Route(path, endpoint, methods=methods.split())

    def state(request: Request) -> Response:
        with standin.lock:
            return JSONResponse(
                {"switches": standin.switches.as_dict(), "events": len(standin.events)}
            )

    return [
        Route("/", state),
        *(route(path, methods, act) for path, (methods, act) in ACTIONS.items()),
    ]
