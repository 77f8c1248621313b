"""The whole system on one machine, put up and taken down in order.

with stack.running(state=Path(".local")) as local:
    httpx2.get(f"{local.base_url}/api/config")
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import make_url

from local import aws, environment, migrate, postgres, receipt_key, videos
from local import template as sam
from local.environment import is_here
from local.queues import Queues
from local.scheduler import Crons

if TYPE_CHECKING:
    from local.server import Overview

STATE = sam.ROOT / ".local"
DATABASE = "studypack"
PREFERRED_PORT = 8000


Step = Callable[[str], AbstractContextManager[Callable[[str], None]]]
"""Told what begins; gives a function that takes details, and is left when the step has ended."""


@dataclass(frozen=True)
class Stack:
    """What runs, and where."""

    base_url: str
    database_url: str
    aws_endpoint_url: str
    stripe_url: str | None
    """Of the stand-in; None when the environment names an account at Stripe."""
    template: sam.Template
    crons: Crons
    queues: Queues

    @property
    def addresses(self) -> list[tuple[str, str, bool]]:
        """Name, address and whether a browser can open it; the database without its password."""
        database = make_url(self.database_url).render_as_string(hide_password=True)
        return [
            ("Overview", f"{self.base_url}/", True),
            ("API", f"{self.base_url}/api", False),
            ("Documentation", f"{self.base_url}/docs", True),
            ("OpenAPI", f"{self.base_url}/openapi.json", True),
            ("Mailbox", f"{self.base_url}/_local/mail", True),
            ("Outbox", f"{self.base_url}/_local/outbox", True),
            *([("Stripe stand-in", f"{self.stripe_url}/", True)] if self.stripe_url else []),
            ("PostgreSQL", database, False),
            ("AWS: S3, SQS, SES, secrets", self.aws_endpoint_url, False),
        ]


def _silently(_title: str) -> AbstractContextManager[Callable[[str], None]]:
    return nullcontext(lambda _detail: None)


@contextmanager
def running(
    *,
    port: int | None = 0,
    state: Path = STATE,
    crons: bool = True,
    durable: bool = True,
    database_url: str | None = None,
    access_log: bool = False,
    step: Step = _silently,
) -> Iterator[Stack]:
    """Run everything; leaving the block stops it in order, data stays.

    `port` 0 is any free one, None the usual one or the next after it. `database_url` (or
    DATABASE_URL) replaces the embedded PostgreSQL, AWS_ENDPOINT_URL the stand-ins.
    Raises PortTakenError, PostgresError.
    """
    # They import FastAPI and uvicorn, which `migrate` and `invoke` don't need.
    from local import payments, server

    template = sam.read()
    jobs = Crons(template)
    with ExitStack() as parts:
        listener = parts.enter_context(server.listen(port, preferred=PREFERRED_PORT))
        base_url = f"http://{server.HOST}:{listener.getsockname()[1]}"
        with step("AWS stand-ins") as detail:
            endpoint = os.environ.get("AWS_ENDPOINT_URL") or parts.enter_context(aws.running())
            detail(endpoint)
        with step("Stripe stand-in") as detail:
            till = parts.enter_context(
                payments.running(
                    state,
                    web_base_url=base_url,
                    fixed_port=port != 0,
                    database_url=database_url or os.environ.get("DATABASE_URL"),
                )
            )
            detail(till.url or "not needed: an account is named")
        url = parts.enter_context(
            database(
                state,
                durable=durable,
                url=database_url,
                web_base_url=base_url,
                aws_endpoint_url=endpoint,
                stripe_url=till.url,
                step=step,
            )
        )
        aws.create_resources(template, endpoint)
        _seed_unless_elsewhere(url, step)
        with step("Queues") as detail:
            queues = Queues(template, aws.client("sqs", endpoint))
            parts.enter_context(environment.applied({"EMAIL_QUEUE_URL": queues.urls["EmailQueue"]}))
            queues.start()
            parts.callback(queues.stop)
            detail(f"{len(queues.mappings)} with a worker")
        local = Stack(base_url, url, endpoint, till.url, template, jobs, queues)
        if crons:
            with step("Scheduler") as detail:
                jobs.start(datetime.now(UTC))
                parts.callback(jobs.stop)
                detail(f"{len(jobs.states())} jobs")
        with step("HTTP server") as detail:
            standin = parts.enter_context(videos.running(base_url))
            app = server.build_app(template, lambda: _overview(local), jobs, standin)
            parts.enter_context(server.serving(app, listener, access_log=access_log))
            detail(base_url)
        till.start()
        with step("Products at Stripe") as detail:
            detail(_sync_products(local))
        yield local


@contextmanager
def database(
    state: Path = STATE,
    *,
    durable: bool = True,
    url: str | None = None,
    web_base_url: str | None = None,
    aws_endpoint_url: str | None = None,
    stripe_url: str | None = None,
    step: Step = _silently,
) -> Iterator[str]:
    """The database with the newest schema and an environment for it; yields its URL.

    A PostgreSQL that was running already goes on running afterwards. One on another machine
    is not migrated: whoever wants that says `python -m local migrate`.
    """
    with ExitStack() as parts:
        url = url or os.environ.get("DATABASE_URL")
        if url is None:
            with step("PostgreSQL") as detail:
                cluster = parts.enter_context(postgres.running(state, durable=durable))
                url = postgres.ensure_database(cluster, DATABASE)
                detail(f"port {cluster.port}")
        parts.enter_context(
            environment.applied(
                environment.variables(
                    database_url=url,
                    web_base_url=web_base_url or f"http://127.0.0.1:{PREFERRED_PORT}",
                    aws_endpoint_url=aws_endpoint_url,
                    stripe_url=stripe_url,
                    receipt_signing_key=receipt_key.ensure(state),
                    mux_signing_key=videos.signing_key(state),
                    # Without the stand-ins of AWS, or AWS, there is nowhere to put a file.
                    lesson_files_bucket=videos.bucket(sam.read()) if aws_endpoint_url else None,
                    given=os.environ,
                )
            )
        )
        if is_here(url):
            with step("Schema") as detail:
                migrate.upgrade(url)
                detail(migrate.head())
        yield url


def _seed_unless_elsewhere(url: str, step: Step) -> None:
    """Load the sample content; logins with public passwords stay out of a database elsewhere."""
    with step("Sample content") as detail:
        if is_here(url):
            from local.seed import seed

            seed(detail)
        else:
            detail("not loaded: the database is on another machine")


def _sync_products(local: Stack) -> str:
    """Bring the stand-in up to the price list; an account at Stripe is changed only when asked."""
    if local.stripe_url is None:
        return "not synced: an account is named (make sync-products)"
    if not is_here(local.database_url):
        return "not synced: the database is on another machine"
    from studypack.billing.catalogue_sync import sync_products

    return str(sync_products())


def _overview(local: Stack) -> Overview:
    from local import seed, server

    return server.Overview(
        addresses=local.addresses,
        accounts=seed.demo_accounts() if is_here(local.database_url) else (),
        crons=server.cron_rows(local.crons.states()),
        queues=[(mapping.source.queue, mapping.function.name) for mapping in local.queues.mappings],
        functions=server.function_rows(local.template),
        stripe_url=local.stripe_url,
    )
