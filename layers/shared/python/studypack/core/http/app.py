"""From a router to a FastAPI application, and from that to a Lambda handler."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Sequence
from functools import lru_cache
from typing import Any, TypeVar

import anyio.to_thread
from fastapi import APIRouter, FastAPI

from studypack.core.config import Settings, get_settings
from studypack.core.database.schema import require_schema
from studypack.core.database.transaction import autocommit
from studypack.core.http import problems
from studypack.core.http.middleware import RequestGate
from studypack.core.http.schemas import Out
from studypack.core.snapshot import prime

T = TypeVar("T")
ERROR_RESPONSES: dict[int | str, dict[str, Any]] = {
    "4XX": {
        "description": "Refused, with the reason and the fields at fault",
        "content": {problems.MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    },
}


class Health(Out):
    """What a function says of itself."""

    function: str
    build: str
    database: str


def health_router(function: str) -> APIRouter:
    """`GET /api/health/<function>`: is it up, which build, does its database answer?"""
    router = APIRouter(tags=["health"])

    @router.get(f"/api/health/{function}", operation_id=f"health_{function}")
    def health() -> Health:
        """Whether this function is up and can work with its database; else 503, whose code says
        what is wrong: `configuration_invalid`, `database_unavailable`, `database_refused`,
        `database_missing`, `database_not_migrated`, `database_behind`.
        """
        with autocommit() as connection:
            require_schema(connection)
        return Health(function=function, build=get_settings().build, database="reachable")

    return router


def create_app(routers: Sequence[APIRouter], **options: Any) -> FastAPI:
    """An application of these routers with our errors and checks; `options` go to FastAPI."""
    app = FastAPI(
        title="StudyPack API",
        version="1",
        responses=ERROR_RESPONSES,
        generate_unique_id_function=lambda route: route.name,
        # It would lead to the host that the request names, which its sender chooses.
        redirect_slashes=False,
        **options,
    )
    for router in routers:
        app.include_router(router)
    problems.install(app)
    app.add_middleware(RequestGate)
    return app


def lambda_handler(router: APIRouter) -> Callable[[dict[str, Any], Any], dict[str, Any]]:
    """The handler of one API function.

    `lifespan="off"`: Mangum would otherwise run start-up on every call.
    """
    from mangum import Mangum
    from mangum.adapter import DEFAULT_TEXT_MIME_TYPES

    function = str(router.tags[0])
    app = create_app(
        [router, health_router(function)], docs_url=None, redoc_url=None, openapi_url=None
    )
    if "AWS_LAMBDA_FUNCTION_NAME" in os.environ:
        # SnapStart begins each version once while it is deployed, so a wrong setting stops there.
        # Looked at and not kept: settings are read at first use, not in the snapshot.
        Settings.from_environment(os.environ).check_at_start()
        run_sync_inline()
    prime()
    adapter = Mangum(
        app, lifespan="off", text_mime_types=[*DEFAULT_TEXT_MIME_TYPES, problems.MEDIA_TYPE]
    )

    def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
        return adapter(event, context)

    return handler


@lru_cache(maxsize=1)
def run_sync_inline() -> None:
    """Run synchronous routes and dependencies on the event loop itself, without a hop to a
    thread.

    An execution environment serves one request at a time, so there is nothing for a thread to keep
    free, and each hop costs 0.2 to 0.4 ms. anyio's function is the one place that Starlette and
    FastAPI hop through.
    """

    async def run_sync(func: Callable[..., T], *args: Any, **_options: Any) -> T:
        return func(*args)

    replacement: Callable[..., Awaitable[Any]] = run_sync
    anyio.to_thread.run_sync = replacement  # type: ignore[assignment]
