from __future__ import annotations

import json
from collections.abc import Callable
from typing import Annotated, Any

import pytest
from fastapi import APIRouter, Query
from sqlalchemy import text
from starlette.testclient import TestClient

from studypack.core.errors import (
    AppError,
    BadRequest,
    Conflict,
    ContentTooLarge,
    Forbidden,
    NotFound,
    PaymentRequired,
    TooManyRequests,
    Unauthenticated,
    Unavailable,
    Unprocessable,
)
from studypack.core.http import DbSession, In, create_app

CANARY = "canary-9f1c"


class Inner(In):
    number: int


class Body(In):
    password: str
    inner: tuple[Inner, ...] = ()


def _client(route: Callable[..., Any], method: str = "GET") -> TestClient:
    router = APIRouter(tags=["test"])
    router.add_api_route("/x/{name}", route, methods=[method])
    return TestClient(create_app([router]), raise_server_exceptions=False)


def _raising(error: Exception) -> TestClient:
    def route() -> None:
        raise error

    return _client(route)


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (BadRequest("no"), 400, "bad_request"),
        (Unauthenticated(), 401, "unauthenticated"),
        (PaymentRequired("no", features=["exams"], products=[]), 402, "entitlement_required"),
        (Forbidden("no", code="role_required"), 403, "role_required"),
        (NotFound("no"), 404, "not_found"),
        (Conflict("no"), 409, "conflict"),
        (ContentTooLarge("no"), 413, "content_too_large"),
        (Unprocessable.field("name", "no"), 422, "invalid_input"),
        (TooManyRequests("no", retry_after_seconds=0), 429, "too_many_requests"),
        (Unavailable("no"), 503, "unavailable"),
    ],
)
def test_a_refusal_is_a_problem_document(error: AppError, status: int, code: str) -> None:
    answer = _raising(error).get("/x/y")
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    document = answer.json()
    assert document["status"] == status
    assert document["code"] == code
    assert document["detail"] == error.message
    assert document["instance"] == "/x/y"
    assert document["type"] == "about:blank"
    assert document["errors"] == [vars(item) for item in error.errors]


def test_what_else_a_refusal_says_is_beside_the_standard_members_and_never_replaces_them() -> None:
    error = Conflict("no", deadline_at="2026-11-21T00:00:00Z", type="mine", errors=[])
    document = _raising(error).get("/x/y").json()
    assert document["deadline_at"] == "2026-11-21T00:00:00Z"
    assert document["type"] == "about:blank"


@pytest.mark.parametrize(
    ("error", "header", "value"),
    [
        (Unauthenticated(), "WWW-Authenticate", "Bearer"),
        (TooManyRequests("no", retry_after_seconds=0), "Retry-After", "1"),
        (TooManyRequests("no", retry_after_seconds=31), "Retry-After", "31"),
        (Unavailable("no"), "Retry-After", "5"),
    ],
)
def test_a_refusal_carries_its_headers(error: AppError, header: str, value: str) -> None:
    assert _raising(error).get("/x/y").headers[header] == value


def test_an_unhandled_error_is_a_500_that_does_not_tell_its_text() -> None:
    answer = _raising(RuntimeError(CANARY)).get("/x/y")
    assert answer.status_code == 500
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["code"] == "internal_error"
    assert CANARY not in answer.text


def test_an_unknown_path_and_a_wrong_method_are_problems_too() -> None:
    client = _raising(RuntimeError())
    unknown, wrong = client.get("/nowhere"), client.post("/x/y")
    assert (unknown.status_code, unknown.json()["code"]) == (404, "not_found")
    assert (wrong.status_code, wrong.json()["code"]) == (405, "method_not_allowed")
    assert wrong.headers["Allow"] == "GET"


def _take(body: Body) -> None: ...


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"password": ["canary-9f1c"]}, "password"),
        ({"password": "x", "inner": [{"number": 1}, {"number": CANARY}]}, "inner.1.number"),
        ({"password": "x", "surplus": CANARY}, "surplus"),
        ([CANARY], "body"),
        (CANARY, "body"),
    ],
)
def test_input_that_does_not_fit_is_named_and_its_value_never_echoed(body: Any, field: str) -> None:
    answer = _client(_take, "POST").post("/x/y", json=body)
    assert answer.status_code == 422
    assert [item["field"] for item in answer.json()["errors"]] == [field]
    assert field in answer.json()["detail"]
    assert CANARY not in answer.text


@pytest.mark.parametrize("body", ["{", '{"password": "canary-9f1c', "\x00", "{'password': 1}"])
def test_malformed_json_is_a_400_that_does_not_quote_it(body: str) -> None:
    answer = _client(_take, "POST").post(
        "/x/y", content=body, headers={"Content-Type": "application/json"}
    )
    assert answer.status_code == 400
    assert answer.json()["code"] == "malformed_json"
    assert CANARY not in answer.text


def test_a_query_parameter_that_does_not_fit_is_named() -> None:
    def route(limit: Annotated[int, Query(le=3)]) -> None: ...

    answer = _client(route).get("/x/y", params={"limit": "77"})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "limit"
    assert "77" not in answer.text


@pytest.mark.usefixtures("database_url")
@pytest.mark.parametrize(
    ("statement", "status"),
    [
        ("SELECT 1/0", 422),
        ("SELECT CAST('x' AS int)", 422),
        ("SELECT no_such_column", 500),
        ("SELECT pg_terminate_backend(pg_backend_pid())", 503),
        ("DO $$ BEGIN RAISE SQLSTATE '40P01'; END $$", 503),
        ("DO $$ BEGIN RAISE SQLSTATE '55P03'; END $$", 503),
        ("DO $$ BEGIN RAISE SQLSTATE '57014'; END $$", 503),
    ],
)
def test_a_database_refusal_tells_what_a_retry_may_cure(statement: str, status: int) -> None:
    def route(session: DbSession) -> None:
        session.execute(text(statement))

    answer = _client(route, "POST").post("/x/y")
    assert answer.status_code == status
    assert ("Retry-After" in answer.headers) == (status == 503)
    assert json.dumps(statement)[1:-1] not in answer.text


@pytest.mark.parametrize("error", [RuntimeError("x"), KeyError("x")])
def test_a_fault_of_ours_bears_the_request_id_that_the_log_has(error: Exception) -> None:
    answer = _raising(error).get("/x/y")
    assert answer.headers["X-Request-Id"]
    assert answer.headers["Cache-Control"] == "no-store"


def test_the_log_of_a_database_error_tells_its_place_and_quotes_no_row(
    learner: Any, log: Callable[[], str]
) -> None:
    def route(session: DbSession) -> None:
        session.execute(
            text("INSERT INTO auth.users (id, email) VALUES (gen_random_uuid(), :email)"),
            {"email": learner.email},
        )

    assert _client(route, "POST").post("/x/y").status_code == 500
    written = log()
    assert "uq_users_email_lower" in written
    assert "INSERT INTO auth.users" in written
    assert "test_problems.py" in written
    assert learner.email not in written
