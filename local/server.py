"""Every API function on one port, with documentation, an overview and the mails' landing pages.

What the gateway does on AWS is done here by the same template: which functions there are, and CORS.
"""

from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import uvicorn
from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse
from fastapi_offline import FastAPIOffline
from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp

from local import learn, mailbox, mux, oauth, openapi, webhooks
from local import template as sam
from local.scheduler import Crons, CronState
from local.seed import Account
from local.stripe.objects.cards import CARDS
from studypack.emails.pages import PAGES

HOST = "127.0.0.1"
OUTBOX_LIMIT = 100

_HERE = Path(__file__).resolve().parent
_COURSES = _HERE / "content" / "courses"
_MEDIA_TYPES = {".svg", ".png", ".jpg", ".jpeg", ".webp", ".gif", ".mp3", ".mp4", ".pdf"}
# Nothing from elsewhere: the pages must work, and look the same, without a network.
_PAGE_POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; frame-ancestors 'none'; base-uri 'none'"
)
_MEDIA_POLICY = "default-src 'none'; style-src 'unsafe-inline'; sandbox"


class PortTakenError(RuntimeError):
    """Another program listens on the wanted port."""


@dataclass(frozen=True)
class Overview:
    """What the home page shows."""

    addresses: list[tuple[str, str, bool]]
    """Name, address, whether it can be opened in a browser."""
    accounts: Sequence[Account] = ()
    crons: list[dict[str, Any]] = field(default_factory=list)
    queues: list[tuple[str, str]] = field(default_factory=list)
    functions: list[tuple[str, str, str | None]] = field(default_factory=list)
    stripe_url: str | None = None
    """Of the stand-in; None when the environment names an account at Stripe."""


def build_app(
    template: sam.Template,
    overview: Callable[[], Overview],
    crons: Crons | None = None,
    videos: mux.StandIn | None = None,
) -> FastAPI:
    """The application of the local server; `overview` is asked anew for every view of the page.

    With `crons` a job can be run out of turn, from the page or by POST; with `videos` Mux's
    stand-in is there too.
    """
    from studypack.core.config import get_settings

    document = openapi.document(template)
    app = FastAPIOffline(
        title="StudyPack API",
        docs_url="/docs",
        redoc_url=None,  # its script shows a picture from another server
        openapi_url="/openapi.json",
        swagger_ui_parameters={
            "validatorUrl": None,  # else Swagger shows a badge from another server
            "persistAuthorization": True,
            "docExpansion": "list",
            "defaultModelsExpandDepth": 0,
            "displayRequestDuration": True,
            "tryItOutEnabled": True,
        },
    )
    app.openapi = lambda: document  # type: ignore[method-assign]
    pages = _environment()
    app.include_router(_pages(pages, overview), include_in_schema=False)
    app.include_router(_mailbox(pages), include_in_schema=False)
    if crons is not None:
        app.include_router(_jobs(crons), include_in_schema=False)
    app.mount("/media", _Media(_COURSES))
    standin = oauth.StandIn(f"{get_settings().web_base_url}/_local/oauth")
    app.mount("/_local/oauth", oauth.application(standin))
    if videos is not None:
        app.mount(mux.PATH, mux.application(videos))
    app.router.routes.extend(webhooks.routes(template))
    app.mount("", _api(template))
    app.add_middleware(_PageHeaders)
    if template.cors is not None:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=sorted(get_settings().origins),
            allow_methods=template.cors.methods,
            allow_headers=template.cors.headers,
            expose_headers=template.cors.exposed,
            allow_credentials=template.cors.credentials,
            max_age=template.cors.max_age_seconds,
        )
    # A page elsewhere whose name resolves to this machine must not read the outbox's tokens.
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=[HOST, "localhost"])
    return app


def _api(template: sam.Template) -> FastAPI:
    from studypack.core.config import get_settings
    from studypack.core.http.admission import Admission

    settings = get_settings()
    api = openapi.application(template)
    api.add_middleware(
        Admission,
        requests=settings.database_pool_size,
        seconds=settings.database_connect_seconds,
    )
    return api


def _environment() -> Environment:
    return Environment(
        loader=FileSystemLoader(_HERE / "pages"),
        autoescape=select_autoescape(),
        undefined=StrictUndefined,
        trim_blocks=True,
    )


def _pages(pages: Environment, overview: Callable[[], Overview]) -> APIRouter:
    router = APIRouter()

    @router.get("/")
    def home() -> HTMLResponse:
        return HTMLResponse(pages.get_template("home.html").render(overview=overview()))

    @router.get("/_local/status.json")
    def status() -> JSONResponse:
        # The checkout tells `make demo` whether a stack that answers is its own.
        now = overview()
        return JSONResponse(
            {"checkout": str(sam.ROOT), "crons": now.crons, "stripe": now.stripe_url}
        )

    @router.get("/_local/outbox")
    def outbox() -> HTMLResponse:
        return HTMLResponse(
            pages.get_template("outbox.html").render(mails=queued_mails(), limit=OUTBOX_LIMIT)
        )

    @router.get("/_local/outbox.json")
    def outbox_json() -> JSONResponse:
        return JSONResponse(queued_mails())

    @router.get("/verify-email")
    def verify_email() -> HTMLResponse:
        return HTMLResponse(pages.get_template("verify-email.html").render())

    @router.get("/sign-in")
    def sign_in() -> HTMLResponse:
        return HTMLResponse(pages.get_template("sign-in.html").render())

    @router.get("/reset-password")
    def reset_password() -> HTMLResponse:
        return HTMLResponse(pages.get_template("reset-password.html").render())

    @router.get("/prices")
    def prices() -> HTMLResponse:
        return HTMLResponse(pages.get_template("prices.html").render(cards=CARDS))

    @router.get("/billing")
    def billing() -> HTMLResponse:
        page = pages.get_template("billing.html")
        return HTMLResponse(page.render(heading="Billing", paid=False))

    @router.get("/checkout/done")
    def checkout_done() -> HTMLResponse:
        page = pages.get_template("billing.html")
        return HTMLResponse(page.render(heading="Paid", paid=True))

    @router.get("/checkout/canceled")
    def checkout_canceled() -> HTMLResponse:
        return HTMLResponse(pages.get_template("checkout-canceled.html").render())

    @router.get("/accept-seat")
    def accept_seat() -> HTMLResponse:
        return HTMLResponse(pages.get_template("accept-seat.html").render())

    @router.get("/verify-receipt")
    def verify_receipt() -> HTMLResponse:
        return HTMLResponse(pages.get_template("verify-receipt.html").render())

    @router.get("/certificates/{code}")
    def certificate(code: str) -> RedirectResponse:
        # Where the mail leads; the API itself has the page for people.
        return RedirectResponse(f"/api/certificates/{quote(code, safe='')}")

    router.include_router(learn.router(pages))

    def web_client(request: Request) -> HTMLResponse:
        page = pages.get_template("web-client.html")
        return HTMLResponse(page.render(path=request.url.path))

    for path in sorted(
        set(PAGES.values()) - {getattr(route, "path", None) for route in router.routes}
    ):
        router.add_api_route(path.replace("{}", "{part}"), web_client, methods=["GET"])
    return router


def _mailbox(pages: Environment) -> APIRouter:
    router = APIRouter()

    @router.get("/_local/mail")
    def list_mails() -> HTMLResponse:
        page = pages.get_template("mailbox.html")
        return HTMLResponse(page.render(mails=sent_mails(), limit=mailbox.SHOWN))

    @router.get("/_local/mail.json")
    def list_mails_as_json() -> JSONResponse:
        return JSONResponse(sent_mails())

    @router.get("/_local/mail/{mail_id}")
    def show_mail(mail_id: str) -> Response:
        mail = _sent(mail_id)
        if mail is None:
            return JSONResponse({"detail": "there is no such mail"}, status_code=404)
        return HTMLResponse(pages.get_template("mail.html").render(mail=mail))

    @router.get("/_local/mail/{mail_id}/html")
    def show_html(mail_id: str) -> Response:
        mail = _sent(mail_id)
        if mail is None or mail.html is None:
            return JSONResponse({"detail": "there is no such html"}, status_code=404)
        policy = {"Content-Security-Policy": mailbox.HTML_POLICY}
        return HTMLResponse(mail.framed_html, headers=policy)

    return router


def _taken() -> list[mailbox.Mail]:
    from studypack.core.config import get_settings

    return mailbox.read(get_settings().aws_endpoint_url)


def _sent(mail_id: str) -> mailbox.Mail | None:
    return next((mail for mail in _taken() if mail.id == mail_id), None)


def sent_mails() -> list[dict[str, Any]]:
    """The newest mails that the stand-in for SES took, newest first, with what our log says."""
    from sqlalchemy import select

    from studypack.core.database import read_session
    from studypack.notifications.models import EmailLog

    taken = _taken()
    with read_session() as session:
        logs = {
            log.provider_message_id: log
            for log in session.scalars(
                select(EmailLog).where(
                    EmailLog.provider_message_id.in_([mail.id for mail in taken])
                )
            )
        }
    return [
        {
            "id": mail.id,
            "email_id": str(mail.email_id) if mail.email_id else None,
            "to": mail.to,
            "subject": mail.subject,
            "link": mail.link,
            "text": mail.text,
            "headers": mail.headers,
            "template": str(log.template) if log else None,
            "sent_at": shown(log.sent_at) if log else None,
            "delivery": str(log.delivery) if log and log.delivery else None,
            "may_be_duplicate": bool(log and log.may_be_duplicate),
        }
        for mail in taken
        for log in [logs.get(mail.id)]
    ]


def _jobs(crons: Crons) -> APIRouter:
    router = APIRouter()

    @router.post("/_local/crons/{name}/run")
    def run_now(name: str) -> JSONResponse:
        try:
            run = crons.run_now(name, datetime.now(UTC))
        except LookupError as error:
            return JSONResponse({"detail": str(error)}, status_code=404)
        if run is None:
            return JSONResponse({"detail": "a run of it is under way"}, status_code=409)
        result = {"result": run.summary, "failed": run.error is not None, "seconds": run.seconds}
        return JSONResponse(result, status_code=200 if run.error is None else 500)

    return router


def queued_mails() -> list[dict[str, Any]]:
    """The newest mails of the queue, newest first."""
    from sqlalchemy import select

    from studypack.core.database import read_session
    from studypack.identity.models import User
    from studypack.notifications.models import QueuedEmail

    with read_session() as session:
        rows = session.execute(
            select(QueuedEmail, User.email)
            .join(User, User.id == QueuedEmail.user_id)
            .order_by(QueuedEmail.id.desc())
            .limit(OUTBOX_LIMIT)
        ).all()
    # A mail that was sent holds its link no more; the one that was sent has it.
    links = {mail.email_id: mail.link for mail in _taken() if mail.email_id}
    return [
        {
            "id": str(mail.id),
            "template": str(mail.template),
            "to": mail.to_address or address,
            "status": str(mail.status),
            "link": _web_link(mail.data.get("link") or links.get(mail.id)),
            "data": mail.data,
            "created_at": shown(mail.created_at),
        }
        for mail, address in rows
    ]


def _web_link(link: Any) -> str | None:
    return link if isinstance(link, str) and link.startswith(("http://", "https://")) else None


def shown(moment: datetime) -> str:
    """A time for people, in this machine's zone."""
    return moment.astimezone().strftime("%Y-%m-%d %H:%M:%S")


def cron_rows(states: list[CronState]) -> list[dict[str, Any]]:
    """Scheduled jobs as the page and its JSON show them."""
    return [
        {
            "name": state.name,
            "expression": state.expression,
            "next_run": shown(state.next_run) if state.next_run else None,
            "last_run": shown(state.last_run.at) if state.last_run else None,
            "last_result": state.last_run.summary if state.last_run else None,
            "failed": bool(state.last_run and state.last_run.error),
        }
        for state in states
    ]


def function_rows(template: sam.Template) -> list[tuple[str, str, str | None]]:
    """Functions with what they serve and their health check, for the page."""
    rows: list[tuple[str, str, str | None]] = []
    for function in template.functions:
        paths = [route.path for route in function.routes if "{" not in route.path]
        health = next((path for path in paths if path.startswith("/api/health/")), None)
        if function.routes:
            served = ", ".join(path for path in paths if path != health)
        else:
            schedules = [schedule.expression for schedule in function.schedules]
            served = ", ".join([*schedules, *(source.queue for source in function.sources)])
        rows.append((function.name, served, health))
    return rows


class _Media(StaticFiles):
    """Files of the sample courses: `<course>/<file>` is content/courses/<course>/media/<file>."""

    def __init__(self, content: Path) -> None:
        super().__init__(directory=content)

    def lookup_path(self, path: str) -> tuple[str, Any]:
        parts = Path(path).parts
        if len(parts) != 2 or Path(path).suffix.lower() not in _MEDIA_TYPES:
            return "", None
        # StaticFiles itself refuses what leads out of its directory, links included.
        return super().lookup_path(str(Path(parts[0], "media", parts[1])))

    def file_response(self, *args: Any, **kwargs: Any) -> Response:
        response = super().file_response(*args, **kwargs)
        response.headers["Content-Security-Policy"] = _MEDIA_POLICY
        response.headers["X-Content-Type-Options"] = "nosniff"
        return response


class _PageHeaders:
    """Headers of our own pages; the API sets its own."""

    def __init__(self, app: Callable[..., Awaitable[None]]) -> None:
        self._app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http" or scope["path"].startswith(("/api/", "/media/")):
            await self._app(scope, receive, send)
            return

        async def with_headers(message: Any) -> None:
            if message["type"] == "http.response.start":
                headers = [
                    *message["headers"],
                    (b"referrer-policy", b"no-referrer"),  # addresses carry tokens
                ]
                if b"content-security-policy" not in dict(headers):
                    headers.append((b"content-security-policy", _PAGE_POLICY.encode()))
                message["headers"] = headers
            await send(message)

        await self._app(scope, receive, with_headers)


def listen(port: int | None, *, preferred: int, tries: int = 20) -> socket.socket:
    """Take a loopback port: the given one (0: any), else the preferred one or the next free one.

    Raises PortTakenError when the port that was asked for is not free.
    """
    candidates = range(preferred, preferred + tries) if port is None else (port,)
    for candidate in candidates:
        # Named TCP, so that asyncio sends small answers at once (it sets TCP_NODELAY by that name).
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((HOST, candidate))
            listener.listen(128)
        except OSError:
            listener.close()
            continue
        return listener
    if port is None:
        raise PortTakenError(f"no port from {preferred} to {preferred + tries - 1} is free")
    raise PortTakenError(f"port {port} is taken or not allowed: choose another with --port")


@contextmanager
def serving(app: ASGIApp, listener: socket.socket, *, access_log: bool = False) -> Iterator[None]:
    """Serve in a thread on a listening socket; requests under way may finish at the end."""
    config = uvicorn.Config(
        app,
        log_config=None,  # whoever starts us decides what is logged where
        access_log=access_log,
        lifespan="off",
        timeout_graceful_shutdown=5,
        server_header=False,
    )
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, args=([listener],), name="http", daemon=True)
    thread.start()
    while not server.started and thread.is_alive():
        thread.join(0.01)
    if not server.started:
        raise RuntimeError("the HTTP server did not start; its log says why")
    try:
        yield
    finally:
        server.should_exit = True
        thread.join()
        listener.close()
