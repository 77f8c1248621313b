"""The handlers as Lambda calls them: an API Gateway event in, its answer out."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.accounts import value
from tests.support.exams import JobContext

ROOT = Path(__file__).parents[2]
NEW = {"email": "new@example.com", "password": "violet canal länterń"}
ORIGIN = {"origin": "https://app.example.com"}


def _event(
    method: str,
    path: str,
    body: Any = None,
    *,
    headers: dict[str, str] | None = None,
    cookies: list[str] | None = None,
    encode: bool = False,
) -> dict[str, Any]:
    """The sample event of the function, turned into another request."""
    event: dict[str, Any] = json.loads((ROOT / "events/api/auth.json").read_text())
    event["rawPath"] = event["requestContext"]["http"]["path"] = path
    event["requestContext"]["http"]["method"] = method
    event["headers"] |= {"content-type": "application/json", **(headers or {})}
    if cookies:
        event["cookies"] = cookies
    if body is not None:
        text = json.dumps(body, ensure_ascii=False)
        event["body"] = base64.b64encode(text.encode()).decode() if encode else text
        event["isBase64Encoded"] = encode
    return event


def _invoke(event: dict[str, Any]) -> dict[str, Any]:
    from api.auth.handler import handler

    answer: dict[str, Any] = handler(event, JobContext())
    return answer


def _sign_up(**options: Any) -> dict[str, Any]:
    return _invoke(_event("POST", "/api/auth/signup", NEW, headers=ORIGIN, **options))


@pytest.mark.usefixtures("database_url")
@pytest.mark.parametrize("encode", [False, True])
def test_a_body_is_understood_plain_and_in_base64(encode: bool) -> None:
    answer = _sign_up(encode=encode)
    assert answer["statusCode"] == 201
    assert answer["isBase64Encoded"] is False
    again = _event("POST", "/api/auth/login", NEW, encode=not encode)
    assert _invoke(again)["statusCode"] == 200


@pytest.mark.usefixtures("database_url")
def test_the_cookie_comes_and_goes_as_gateways_have_it() -> None:
    answer = _sign_up()
    [cookie] = answer["cookies"]
    assert "set-cookie" not in answer["headers"]
    session = cookie.partition(";")[0]
    listed = _invoke(_event("GET", "/api/auth/sessions", cookies=["other=1", session]))
    assert listed["statusCode"] == 200
    assert len(json.loads(listed["body"])["items"]) == 1


@pytest.mark.usefixtures("database_url")
def test_the_callers_address_is_the_gateways_and_no_header_changes_it() -> None:
    forged = {"x-forwarded-for": "198.51.100.66", "forwarded": "for=198.51.100.66"}
    event = _event("POST", "/api/auth/signup", NEW, headers={**ORIGIN, **forged})
    assert _invoke(event)["statusCode"] == 201
    assert value("SELECT ip FROM auth.sessions") == "203.0.113.7"


@pytest.mark.usefixtures("database_url")
def test_a_problem_is_readable_text_with_the_gateways_request_id() -> None:
    answer = _invoke(_event("POST", "/api/auth/login", NEW))
    assert answer["statusCode"] == 401
    assert answer["isBase64Encoded"] is False
    assert answer["headers"]["content-type"] == "application/problem+json"
    assert answer["headers"]["x-request-id"] == "sample-request"
    assert json.loads(answer["body"])["code"] == "invalid_credentials"


@pytest.mark.usefixtures("database_url")
def test_a_function_answers_its_own_paths_only_and_shows_no_documentation() -> None:
    for path in ("/api/users/me", "/docs", "/openapi.json", "/redoc", "/"):
        assert _invoke(_event("GET", path))["statusCode"] == 404, path


@pytest.mark.usefixtures("database_url")
def test_a_nul_in_the_path_is_refused_here_too() -> None:
    answer = _invoke(_event("DELETE", "/api/auth/sessions/%00"))
    assert answer["statusCode"] == 400
    assert json.loads(answer["body"])["code"] == "nul_character"


_COLD_START = """
import json, sys
from api.users.handler import handler
from tests.support.exams import JobContext
for event in json.load(sys.stdin):
    answer = handler(event, JobContext())
    print("ANSWER", answer["statusCode"])
"""


def test_a_cold_environment_with_one_connection_serves_requests_one_after_the_other(
    database_url: str, learner: Any
) -> None:
    """In a process of its own: on Lambda, routes run on the event loop itself."""
    headers = {"authorization": f"Bearer {learner.token}"}
    events = [
        _event("GET", "/api/users/me", headers=headers),
        _event("PATCH", "/api/users/me", {"first_name": "Lea"}, headers=headers),
        _event("PATCH", "/api/users/me", {"timezone": "Mars/Olympus"}, headers=headers),
        _event("GET", "/api/users/me/profile", headers=headers),
        _event("GET", "/api/users/me"),
    ]
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(
            str(ROOT / path) for path in ("layers/shared/python", "functions", "")
        ),
        "AWS_LAMBDA_FUNCTION_NAME": "studypack-users",
        "DATABASE_URL": database_url,
        "DATABASE_POOL_SIZE": "1",
        "DATABASE_CONNECT_SECONDS": "2",
    }
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", _COLD_START],
        input=json.dumps(events),
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=environment,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    statuses = [line for line in done.stdout.splitlines() if line.startswith("ANSWER")]
    assert statuses == [f"ANSWER {status}" for status in (200, 200, 422, 200, 401)]
