"""Every refusal as RFC 9457 `application/problem+json`, with a stable code and the fields at
fault.
"""

from __future__ import annotations

import json
import traceback
from collections.abc import Iterator, Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.encoders import jsonable_encoder
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from pydantic import BaseModel, Field
from sqlalchemy.exc import DataError, DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.exceptions import HTTPException

from studypack.core import outages
from studypack.core.config import ConfigurationError
from studypack.core.database.engine import has_free_connection
from studypack.core.database.errors import server_fields, sqlstate
from studypack.core.database.schema import may_come_of_an_old_schema, require_schema
from studypack.core.database.transaction import autocommit
from studypack.core.errors import AppError, FieldError, Outage, Unavailable, UnsupportedMediaType
from studypack.core.telemetry import get_logger, note

MEDIA_TYPE = "application/problem+json"
CONFIGURATION = "configuration_invalid"

_LOCK_NOT_AVAILABLE, _DEADLOCK, _SERIALIZATION, _QUERY_CANCELED = "55P03", "40P01", "40001", "57014"
_TRY_AGAIN = {_LOCK_NOT_AVAILABLE, _DEADLOCK, _SERIALIZATION, _QUERY_CANCELED}


class ProblemField(BaseModel):
    """One field of the input that does not fit."""

    field: str = Field(description="Dotted path, e.g. `answer.option_ids.0`")
    code: str
    message: str


class Problem(BaseModel):
    """RFC 9457 problem details; `code` is stable, `detail` is for people."""

    type: str = Field(examples=["about:blank"])
    title: str
    status: int
    detail: str
    code: str
    instance: str
    errors: list[ProblemField] = []


def problem(
    request: Request,
    status: int,
    code: str,
    detail: str,
    *,
    errors: tuple[FieldError, ...] = (),
    headers: dict[str, str] | None = None,
    extra: dict[str, Any] | None = None,
) -> Response:
    """The response that carries a problem document."""
    note(problem=code)
    document = {
        **(extra or {}),
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "code": code,
        "instance": request.url.path,
        "errors": [vars(error) for error in errors],
    }
    content = json.dumps(jsonable_encoder(document), separators=(",", ":"))
    return Response(content, status, headers=headers, media_type=MEDIA_TYPE)


async def app_error(request: Request, error: AppError) -> Response:
    """An expected refusal; an outage is logged once, anything else of ours each time."""
    if isinstance(error, Outage):
        outages.tell(error.code, reason=error.message, cause=_kinds(error.__cause__))
    elif error.status >= 500:
        get_logger().error(
            "unavailable", extra={"code": error.code, "cause": repr(error.__cause__)}
        )
    return problem(
        request,
        error.status,
        error.code,
        error.message,
        errors=error.errors,
        headers=error.headers,
        extra=error.extra,
    )


def _kinds(error: BaseException | None) -> str:
    """An error and its causes by their kinds and codes, without their texts."""
    told = []
    while error is not None:
        code = sqlstate(error)
        told.append(f"{type(error).__name__} {code}" if code else type(error).__name__)
        error = error.__cause__ or error.__context__
    return " < ".join(told)


def configuration_outage(error: ConfigurationError) -> Outage:
    """A wrong setting as the answer to every request: it names the setting, which is no secret."""
    return Outage(f"The service is not set up: {error}", code=CONFIGURATION, retry_after_seconds=30)


async def _configuration_error(request: Request, error: ConfigurationError) -> Response:
    return await app_error(request, configuration_outage(error))


async def _validation_error(request: Request, error: RequestValidationError) -> Response:
    """FastAPI's own findings, without the values that it would echo (a password among them)."""
    found = error.errors()
    if isinstance(error.body, bytes) and error.body and found[0]["loc"][0] == "body":
        # FastAPI leaves a body as bytes when its Content-Type does not say that it is JSON.
        return await app_error(
            request, UnsupportedMediaType("The body must be sent as application/json.")
        )
    if any(item["type"] == "json_invalid" for item in found):
        return problem(request, 400, "malformed_json", "The body is not valid JSON.")
    errors = tuple(
        FieldError(
            field=".".join(_path(item["loc"], error.body)) or str(item["loc"][0]),
            code=item["type"],
            message=item["msg"],
        )
        for item in found
    )
    names = ", ".join(dict.fromkeys(item.field for item in errors))
    return problem(
        request, 422, "invalid_input", f"These fields do not fit: {names}.", errors=errors
    )


def _path(loc: Sequence[int | str], body: Any) -> Iterator[str]:
    """Where in the input a finding lies, as its sender wrote it.

    Pydantic also names the member of a union that it tried (`answer`, `HOT_SPOT`, `y`), which is no
    field of anybody's: a step that is not in the body is left out, unless it is the last one.
    """
    inside = loc[0] == "body"
    for place, part in enumerate(loc[1:], start=2):
        if inside and isinstance(body, dict) and isinstance(part, str) and place < len(loc):
            if part not in body:
                continue
            body = body[part]
        elif inside and isinstance(body, list) and isinstance(part, int):
            body = body[part] if part < len(body) else None
        yield str(part)


async def _http_error(request: Request, error: HTTPException) -> Response:
    """What the framework refuses: unknown path, wrong method."""
    code = {404: "not_found", 405: "method_not_allowed"}.get(error.status_code, "http_error")
    return problem(
        request, error.status_code, code, str(error.detail), headers=dict(error.headers or {})
    )


async def _database_error(request: Request, error: DBAPIError | PoolTimeout) -> Response:
    """A database's refusal that a retry may cure is a 503; text that it cannot hold a 422; the
    rest a fault.
    """
    if isinstance(error, PoolTimeout):
        return await app_error(request, Unavailable("All database connections are busy."))
    if may_come_of_an_old_schema(error) and has_free_connection():
        try:
            with autocommit() as connection:
                require_schema(connection)
        except Outage as outage:
            return await app_error(request, outage)
    state = sqlstate(error)
    if isinstance(error, DataError) or (state or "").startswith("22"):
        get_logger().warning("data refused by the database", extra={"sqlstate": state})
        return problem(request, 422, "invalid_input", "A value cannot be stored.")
    if error.connection_invalidated or state in _TRY_AGAIN or (state or "").startswith("57"):
        get_logger().error("database unavailable", extra={"sqlstate": state})
        return await app_error(
            request, Unavailable("The database is busy; try again.", retry_after_seconds=2)
        )
    return await unexpected(request, error)


async def unexpected(request: Request, error: Exception) -> Response:
    """A fault of ours: logged with its traceback, told without it."""
    if isinstance(error, DBAPIError):
        # Not its text: PostgreSQL's DETAIL quotes the row ("Key (email)=(...) already exists").
        fields = server_fields(error)
        get_logger().error(
            "unhandled database error",
            extra={
                "error": type(error).__name__,
                "sqlstate": fields.get("C"),
                "cause": fields.get("M"),
                "constraint": fields.get("n"),
                "statement": error.statement,
                "frames": traceback.format_tb(error.__traceback__),
            },
        )
    else:
        get_logger().exception("unhandled error", exc_info=error)
    return problem(request, 500, "internal_error", "Something went wrong on our side.")


def install(app: FastAPI) -> None:
    """Register the handlers."""
    handlers: dict[type[Exception], Any] = {
        AppError: app_error,
        ConfigurationError: _configuration_error,
        RequestValidationError: _validation_error,
        HTTPException: _http_error,
        DBAPIError: _database_error,
        PoolTimeout: _database_error,
        Exception: unexpected,
    }
    for error, handler in handlers.items():
        app.add_exception_handler(error, handler)
