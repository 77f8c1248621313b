"""The REST API: keys, versions, idempotency, parameters, and documents out."""

from __future__ import annotations

import hashlib
import hmac
import logging
import re
import threading
from typing import Any, NamedTuple

from local.stripe import expand, form
from local.stripe.account import DAY, Account
from local.stripe.errors import ApiError
from local.stripe.form import Params
from local.stripe.routes import ROUTES, Route, Takes
from local.stripe.state import Doc, shown

_log = logging.getLogger(__name__)

_COMPILED = [
    (route, re.compile(re.escape(route.path).replace(r"\{\}", "([^/]+)"))) for route in ROUTES
]
IDEMPOTENCY_SECONDS = DAY
_DECLINES, _CONFLICT = 402, 409


class Request(NamedTuple):
    """What a client sent."""

    method: str
    path: str
    encoded: str
    """The parameters: the body of a POST, the query of anything else."""
    key: str | None
    version: str | None = None
    idempotency_key: str | None = None


class Answer(NamedTuple):
    """What it gets."""

    status: int
    document: Doc
    headers: dict[str, str]


class Api:
    """Carries requests out, one at a time."""

    def __init__(self, account: Account, lock: threading.RLock, key: str) -> None:
        self._account = account
        self._lock = lock
        self._key = key
        self._under_way: set[str] = set()
        self._guard = threading.Lock()

    def answer(self, request: Request) -> Answer:
        """Carry a request out; every failure is a document too."""
        name = request.idempotency_key if request.method == "POST" else None
        if name is not None:
            with self._guard:
                busy = name in self._under_way
                self._under_way.add(name)
            if busy:
                return self._refusal(_in_use(name), {})
        try:
            with self._lock:
                try:
                    return self._answer(request)
                finally:
                    self._account.store.commit()
        finally:
            if name is not None:
                with self._guard:
                    self._under_way.discard(name)

    def _answer(self, request: Request) -> Answer:
        account = self._account
        identifier = account.new_id("req", 14)
        headers = {
            "Request-Id": identifier,
            "Stripe-Version": request.version or account.version,
        }
        if request.idempotency_key:
            headers["Idempotency-Key"] = request.idempotency_key
        account.request = {"id": identifier, "idempotency_key": request.idempotency_key}
        try:
            self._check(request)
            return self._once(request, headers)
        except ApiError as error:
            return self._refusal(error, headers)
        except Exception:
            # A fault of ours looks like one of Stripe's to the client, and is found in the log.
            _log.exception("%s %s", request.method, request.path)
            return self._refusal(
                ApiError(
                    "The stand-in has a fault; its log says which.", status=500, kind="api_error"
                ),
                headers,
            )
        finally:
            account.request = {"id": None, "idempotency_key": None}

    def _check(self, request: Request) -> None:
        if request.key is None:
            raise ApiError(
                "You did not provide an API key. You need to provide your API key in the "
                "Authorization header, using Bearer auth (e.g. 'Authorization: Bearer "
                "YOUR_SECRET_KEY').",
                status=401,
            )
        if not hmac.compare_digest(request.key.encode(), self._key.encode()):
            shortened = f"{request.key[:8]}{'*' * 8}{request.key[-4:]}"
            raise ApiError(f"Invalid API Key provided: {shortened}", status=401)
        if request.version and request.version != self._account.version:
            raise ApiError(
                f"Invalid Stripe API version: {request.version}. The stand-in knows "
                f"{self._account.version} only."
            )
        switches = self._account.switches
        if switches.api_failures > 0:
            switches.api_failures -= 1
            raise ApiError("The stand-in was told to fail.", status=500, kind="api_error")

    def _once(self, request: Request, headers: dict[str, str]) -> Answer:
        name = request.idempotency_key if request.method == "POST" else None
        if name is None:
            return self._carry_out(request, headers)
        account = self._account
        digest = hashlib.sha256(request.encoded.encode()).hexdigest()
        kept = account.store.find("~idempotency", name)
        if kept is not None and kept["at"] + IDEMPOTENCY_SECONDS > account.wall_clock():
            return _replayed(kept, request, digest, headers)
        answer = self._carry_out(request, headers)
        if answer.status in {200, _DECLINES}:
            account.store.add(
                {
                    "object": "~idempotency",
                    "id": name,
                    "at": account.wall_clock(),
                    "path": request.path,
                    "digest": digest,
                    "status": answer.status,
                    "answer": answer.document,
                    "request": headers["Request-Id"],
                }
            )
        if account.switches.api_lost_answers > 0 and answer.status == 200:
            account.switches.api_lost_answers -= 1
            raise ApiError("The answer was lost.", status=500, kind="api_error")
        return answer

    def _carry_out(self, request: Request, headers: dict[str, str]) -> Answer:
        try:
            route, ids = _route_of(request)
            params = Params(form.parse(request.encoded))
            _refuse_unknown(params, route)
            result = route.handler(self._account, params, *ids)
            document = expand.rendered(self._account, result, params.texts("expand"))
            _hide_secrets(document, request)
            return Answer(200, document, headers)
        except ApiError as error:
            return self._refusal(error, headers)

    def _refusal(self, error: ApiError, headers: dict[str, str]) -> Answer:
        said: dict[str, Any] = dict(error.error)
        if error.code:
            address = error.code.replace("_", "-")
            said["doc_url"] = f"https://stripe.com/docs/error-codes/{address}"
        if error.status == 500:
            headers = {**headers, "Stripe-Should-Retry": "true"}
        return Answer(error.status, {"error": shown(said)}, headers)


def _in_use(name: str) -> ApiError:
    return ApiError(
        "There is currently another in-progress request using this Idempotent Key (that probably "
        f"means you submitted twice, and the other request is still going through): {name}.",
        status=_CONFLICT,
        kind="idempotency_error",
        code="idempotency_key_in_use",
    )


def _replayed(kept: Doc, request: Request, digest: str, headers: dict[str, str]) -> Answer:
    if kept["path"] != request.path or kept["digest"] != digest:
        raise ApiError(
            "Keys for idempotent requests can only be used with the same parameters they were "
            f"first used with. Try using a key other than '{request.idempotency_key}' if you meant "
            "to execute a different request.",
            kind="idempotency_error",
        )
    again = {**headers, "Idempotent-Replayed": "true", "Original-Request": kept["request"]}
    return Answer(kept["status"], kept["answer"], again)


def _route_of(request: Request) -> tuple[Route, tuple[str, ...]]:
    for route, pattern in _COMPILED:
        if route.method == request.method and (found := pattern.fullmatch(request.path)):
            return route, found.groups()
    raise ApiError(
        f"Unrecognized request URL ({request.method}: {request.path}). The stand-in does not have "
        "it.",
        status=404,
    )


def _refuse_unknown(params: Params, route: Route) -> None:
    values = {name: value for name, value in params.values.items() if name != "expand"}
    _refuse_below(values, route.takes, "")


def _refuse_below(values: Any, takes: Takes, path: str) -> None:
    if isinstance(values, list):
        for at, each in enumerate(values):
            _refuse_below(each, takes, f"{path}[{at}]")
    if not isinstance(values, dict) or (path and not takes):
        return
    for name, value in values.items():
        whole = f"{path}[{name}]" if path else name
        if name not in takes:
            raise ApiError(
                f"Received unknown parameter: {whole}. The stand-in takes here: "
                f"{', '.join(sorted(takes)) or 'none'}.",
                code="parameter_unknown",
                param=whole,
            )
        _refuse_below(value, takes[name], whole)


def _hide_secrets(document: Doc, request: Request) -> None:
    """A webhook endpoint's secret is in the answer to its making, and never again."""
    made = request.method == "POST" and request.path == "/v1/webhook_endpoints"
    rows = document.get("data", []) if document.get("object") == "list" else [document]
    for row in rows:
        if row.get("object") == "webhook_endpoint" and not made:
            row.pop("secret", None)
