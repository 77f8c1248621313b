"""A provider of each kind, as strict as the real ones where a client must be right: single-use
codes, PKCE, client secret, redirect address.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
import threading
import time
from dataclasses import dataclass, field
from html import escape
from typing import Any
from urllib.parse import parse_qsl, urlencode

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

GOOGLE, GITHUB = "google", "github"
CLIENT_ID = "studypack-local"
CLIENT_SECRET = "known to everybody, and good for nothing but this stand-in"  # noqa: S105
CODE_SECONDS = 60
KEY_ID = "stand-in"
NO_ALGORITHM = b'{"alg":"none"}'

FAULTS = {
    "error": "the token endpoint answers 500",
    "slow": "the token endpoint answers after the time that we wait",
    "garbage": "the token endpoint answers no JSON",
    "huge": "the token endpoint answers more than we read",
    "redirect": "the token endpoint sends us elsewhere",
    "no_token": "the answer holds no token",
    "wrong_nonce": "the ID token is of another attempt",
    "wrong_audience": "the ID token is for another client",
    "more_audiences": "the ID token is for another client too",
    "wrong_issuer": "the ID token is of another issuer",
    "expired": "the ID token is of yesterday",
    "unsigned": "the ID token has the algorithm none",
    "other_key": "the ID token is signed by somebody else",
    "hmac": "the ID token is signed with the public key as an HMAC secret",
    "no_keys": "the keys cannot be had",
}


@dataclass(frozen=True)
class Person:
    """Somebody with an account at both providers."""

    key: str
    number: int
    email: str
    verified: bool
    first_name: str
    last_name: str


PEOPLE = (
    Person("lea", 101, "lea@example.com", True, "Lea", "Brandt"),
    Person("grace", 102, "grace@example.com", True, "Grace", "Njeri"),
    Person("mallory", 103, "mallory@example.com", False, "Mallory", "Voss"),
)


@dataclass
class _Code:
    provider: str
    person: Person
    redirect_uri: str
    challenge: str
    nonce: str | None
    expires_at: float


@dataclass
class StandIn:
    """What the stand-in knows, and the fault that it shows now."""

    base_url: str
    people: dict[str, Person] = field(default_factory=lambda: {each.key: each for each in PEOPLE})
    fault: str | None = None
    slow_seconds: float = 7.0
    token_requests: int = 0
    released: threading.Event = field(default_factory=threading.Event)
    """Set at the end of a test, so that a slow answer keeps nobody waiting."""
    _codes: dict[str, _Code] = field(default_factory=dict)
    _tokens: dict[str, Person] = field(default_factory=dict)
    _keys: dict[str, Any] = field(default_factory=dict)

    def key(self, name: str = "own") -> Any:
        """An RSA key, made at first use."""
        from joserfc.jwk import RSAKey

        if name not in self._keys:
            self._keys[name] = RSAKey.generate_key(2048, {"kid": KEY_ID, "use": "sig"})
        return self._keys[name]

    def issue_code(self, provider: str, person: Person, query: Any) -> str:
        """A code for what the authorize page was asked."""
        code = secrets.token_urlsafe(24)
        self._codes[code] = _Code(
            provider,
            person,
            query["redirect_uri"],
            query["code_challenge"],
            query.get("nonce"),
            time.monotonic() + CODE_SECONDS,
        )
        return code

    def redeem(self, provider: str, form: Any) -> tuple[_Code | None, str]:
        """Use a code up; with it or with why not."""
        code = self._codes.pop(str(form.get("code")), None)
        verifier = str(form.get("code_verifier", ""))
        challenge = _encoded(hashlib.sha256(verifier.encode()).digest())
        if (form.get("client_id"), form.get("client_secret")) != (CLIENT_ID, CLIENT_SECRET):
            return None, "invalid_client"
        if (
            code is None
            or code.provider != provider
            or code.expires_at < time.monotonic()
            or code.redirect_uri != form.get("redirect_uri")
            or not hmac.compare_digest(challenge, code.challenge)
        ):
            return None, "invalid_grant"
        return code, ""

    def access_token(self, person: Person) -> str:
        """A token that opens the person's profile."""
        token = secrets.token_urlsafe(24)
        self._tokens[token] = person
        return token

    def holder(self, request: Request) -> Person | None:
        """Whose token a request bears."""
        return self._tokens.get(request.headers.get("authorization", "").removeprefix("Bearer "))

    def id_token(self, code: _Code) -> str:
        """Google's ID token, wrong where the fault says so."""
        from joserfc import jwt

        now = int(time.time()) - (86_400 if self.fault == "expired" else 0)
        person = code.person
        claims: dict[str, Any] = {
            "iss": f"{self.base_url}/{GOOGLE}",
            "aud": CLIENT_ID,
            "sub": str(person.number),
            "iat": now,
            "exp": now + 3600,
            "nonce": code.nonce,
            "email": person.email,
            "email_verified": person.verified,
            "given_name": person.first_name,
            "family_name": person.last_name,
        }
        wrong: dict[str | None, dict[str, Any]] = {
            "wrong_nonce": {"nonce": "of another attempt"},
            "wrong_audience": {"aud": "somebody else"},
            "more_audiences": {"aud": [CLIENT_ID, "somebody else"]},
            "wrong_issuer": {"iss": "https://provider.example"},
        }
        claims |= wrong.get(self.fault, {})
        header = {"alg": "RS256", "kid": KEY_ID}
        if self.fault == "unsigned":
            whole = jwt.encode(header, claims, self.key()).split(".")
            return f"{_encoded(NO_ALGORITHM)}.{whole[1]}."
        if self.fault == "hmac":
            # By hand: joserfc itself refuses to take a public key for a shared secret.
            payload = jwt.encode(header, claims, self.key()).split(".")[1]
            head = _encoded(json.dumps({"alg": "HS256", "kid": KEY_ID}).encode())
            signed = f"{head}.{payload}".encode()
            mac = hmac.digest(self.key().as_pem(private=False), signed, "sha256")
            return f"{head}.{payload}.{_encoded(mac)}"
        return jwt.encode(header, claims, self.key("other" if self.fault == "other_key" else "own"))


def application(standin: StandIn) -> Starlette:
    """Both providers: /google/... and /github/... as their real addresses are laid out."""

    async def authorize(request: Request) -> Response:
        return _authorize(standin, _provider(request), request)

    async def token(request: Request) -> Response:
        form = dict(parse_qsl((await request.body()).decode()))
        return await run_in_threadpool(_token, standin, _provider(request), form)

    def keys(_request: Request) -> Response:
        if standin.fault == "no_keys":
            return JSONResponse({"error": "none today"}, 500)
        return JSONResponse({"keys": [standin.key().as_dict(private=False)]})

    def user(request: Request) -> Response:
        person = standin.holder(request)
        if person is None:
            return JSONResponse({"message": "Bad credentials"}, 401)
        name = f"{person.first_name} {person.last_name}"
        return JSONResponse({"id": person.number, "login": person.key, "name": name})

    def emails(request: Request) -> Response:
        person = standin.holder(request)
        if person is None:
            return JSONResponse({"message": "Bad credentials"}, 401)
        other = {"email": "old@example.com", "verified": True, "primary": False}
        own = {"email": person.email, "verified": person.verified, "primary": True}
        return JSONResponse([other, own])

    async def set_fault(request: Request) -> Response:
        wanted = (await request.json()).get("fault")
        if wanted is not None and wanted not in FAULTS:
            return JSONResponse({"faults": FAULTS}, 422)
        standin.fault = wanted
        return JSONResponse({"fault": wanted})

    return Starlette(
        routes=[
            Route("/google/o/oauth2/v2/auth", authorize),
            Route("/google/token", token, methods=["POST"]),
            Route("/google/oauth2/v3/certs", keys),
            Route("/github/login/oauth/authorize", authorize),
            Route("/github/login/oauth/access_token", token, methods=["POST"]),
            Route("/github/api/v3/user", user),
            Route("/github/api/v3/user/emails", emails),
            Route("/fault", set_fault, methods=["PUT"]),
        ]
    )


def _encoded(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


def _provider(request: Request) -> str:
    return GITHUB if f"/{GITHUB}/" in request.url.path else GOOGLE


def _authorize(standin: StandIn, provider: str, request: Request) -> Response:
    query = dict(request.query_params)
    needed = {"response_type": "code", "client_id": CLIENT_ID, "code_challenge_method": "S256"}
    missing = {"redirect_uri", "state", "code_challenge"} - query.keys()
    if provider == GOOGLE and "nonce" not in query:
        missing.add("nonce")
    if missing or any(query.get(name) != value for name, value in needed.items()):
        return JSONResponse({"error": "invalid_request", "missing": sorted(missing)}, 400)
    chosen = query.pop("choose", None)
    if chosen is None:
        return HTMLResponse(_page(standin, provider, query))
    answer = {"state": query["state"]}
    if chosen in standin.people:
        answer["code"] = standin.issue_code(provider, standin.people[chosen], query)
    else:
        answer["error"] = "access_denied"
    return RedirectResponse(f"{query['redirect_uri']}?{urlencode(answer)}", 303)


def _page(standin: StandIn, provider: str, query: dict[str, str]) -> str:
    rows = [
        (person.key, f"{person.first_name} {person.last_name}", person.email, person.verified)
        for person in standin.people.values()
    ]
    items = "".join(
        f'<li><a href="?{escape(urlencode({**query, "choose": key}))}">{escape(name)}</a>'
        f" {escape(email)}{'' if verified else ' (not verified)'}</li>"
        for key, name, email, verified in rows
    )
    refuse = escape(urlencode({**query, "choose": "nobody"}))
    title = f"Stand-in for {provider.capitalize()}"
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title>'
        f"<h1>{title}</h1><p>Go on to StudyPack as</p><ul>{items}</ul>"
        f'<p><a href="?{refuse}">Nobody: go back</a></p></html>'
    )


def _token(standin: StandIn, provider: str, form: Any) -> Response:
    standin.token_requests += 1
    match standin.fault:
        case "error":
            return JSONResponse({"error": "server_error"}, 500)
        case "slow":
            standin.released.wait(standin.slow_seconds)
        case "garbage":
            return Response("<html>", media_type="application/json")
        case "huge":
            return JSONResponse({"id_token": "x" * 1_000_000})
        case "redirect":
            return RedirectResponse(f"{standin.base_url}/{provider}/token")
        case "no_token":
            return JSONResponse({"token_type": "Bearer"})
    code, error = standin.redeem(provider, form)
    if code is None:
        return JSONResponse({"error": error}, 200 if provider == GITHUB else 400)
    granted = {"access_token": standin.access_token(code.person), "token_type": "Bearer"}
    if provider == GOOGLE:
        granted["id_token"] = standin.id_token(code)
    return JSONResponse(granted)
