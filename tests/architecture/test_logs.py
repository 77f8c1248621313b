"""No log line carries a password, a token, an e-mail address or an answer's text.

Marks are planted in real requests, good and bad, and in faults of ours; then everything that was
written is searched.
"""

from __future__ import annotations

import io
import json
import logging
import re
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
from pydantic import BaseModel, TypeAdapter
from sqlalchemy import text

from studypack.core.database import transaction
from studypack.core.telemetry import get_logger
from tests.support import exams
from tests.support.exams import JobContext
from tests.support.people import Person

MARK = "xyzzy-canary"
EMAIL = f"{MARK}.person@example.com"
PASSWORD = f"{MARK} violet lantern"


class Log:
    """Everything this process writes from now on: our lines, other libraries', both streams."""

    def __init__(self, ours: io.StringIO, others: pytest.LogCaptureFixture, streams: Any) -> None:
        self._ours, self._others, self._streams = ours, others, streams

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self._ours.getvalue().splitlines()]

    def everything(self) -> str:
        printed = self._streams.readouterr()
        # pytest records our lines, too, in a form of its own; httpx2 is the test's client.
        others = [
            self._others.handler.format(record)
            for record in self._others.records
            if record.name not in {"studypack", "httpx2"}
        ]
        return "\n".join([self._ours.getvalue(), *others, printed.out, printed.err])


@pytest.fixture
def log(
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Log]:
    """All loggers at their most talkative."""
    ours = io.StringIO()
    logger = get_logger()
    level = logger.log_level
    monkeypatch.setattr(logger.registered_handler, "stream", ours)
    logger.setLevel("DEBUG")
    with caplog.at_level(logging.DEBUG):
        yield Log(ours, caplog, capfd)
    logger.setLevel(level)


def _link_tokens() -> list[str]:
    with transaction() as session:
        links = session.scalars(text("SELECT data ->> 'link' FROM notifications.email_queue"))
        return [link.rpartition("token=")[2] for link in links if link]


def test_signing_up_in_and_out_and_forgetting_leaves_no_secret_in_the_logs(
    api: Any, log: Log
) -> None:
    new_password = f"{MARK} new lantern"
    account = {"email": EMAIL, "password": PASSWORD, "first_name": MARK, "timezone": "UTC"}

    as_json = {"Content-Type": "application/json"}
    signed_up = api.post("/api/auth/signup", json=account)
    taken = api.post("/api/auth/signup", json=account)
    wrong = api.post("/api/auth/login", json={"email": EMAIL, "password": f"{PASSWORD}!"})
    unknown = api.post(
        "/api/auth/login", json={"email": f"{MARK}.nobody@example.com", "password": PASSWORD}
    )
    misspelt = api.post("/api/auth/login", json={"email": f"{MARK}@", "password": [PASSWORD]})
    malformed = api.post("/api/auth/login", content=f'{{"password": "{PASSWORD}', headers=as_json)
    signed_in = api.post("/api/auth/login", json={"email": EMAIL, "password": PASSWORD})
    bearer = {"Authorization": f"Bearer {signed_in.json()['token']}"}
    found = api.get("/api/users/me", params={"email": EMAIL}, headers=bearer)
    forgot = api.post("/api/auth/password/forgot", json={"email": EMAIL})
    tokens = _link_tokens()
    reset = api.post(
        "/api/auth/password/reset", json={"token": tokens[-1], "password": new_password}
    )
    again = api.post(
        "/api/auth/password/reset", json={"token": tokens[-1], "password": new_password}
    )
    verified = api.post("/api/auth/verify-email", json={"token": tokens[0]})
    stranger = api.get("/api/users/me", headers={"Authorization": f"Bearer {MARK}-token"})

    answers = (signed_up, taken, wrong, unknown, misspelt, malformed, signed_in, found, forgot)
    answers += (reset, again, verified, stranger)
    assert [answer.status_code for answer in answers] == [
        *(201, 409, 401, 401, 422, 400, 200, 200, 202),
        *(204, 422, 200, 401),
    ]
    written = log.everything()
    assert len(tokens) >= 2
    secrets = [signed_up.json()["token"], signed_in.json()["token"], *tokens]
    assert [secret for secret in (MARK, "$argon2", *secrets) if secret in written] == []
    assert len(log.lines()) == len(answers)


def test_an_answer_leaves_nothing_of_itself_in_the_logs(learner: Person, log: Log) -> None:
    session = exams.start(learner)
    item = session["items"][0]
    answer = exams.any_answer(item)
    started = len(log.lines())

    assert exams.save(learner, session, item, answer).status_code == 200
    assert exams.save(learner, session, item, {**answer, "note": MARK}).status_code == 422
    noted = learner.patch(f"/api/exams/sessions/{session['id']}", json={"metadata": {MARK: MARK}})
    assert noted.status_code == 200
    exams.finalize(learner, session)

    written = log.everything()
    given = [value for value in answer.values() if isinstance(value, str) and len(value) > 30]
    given += [each for value in answer.values() if isinstance(value, list) for each in value]
    secrets = [MARK, learner.email, learner.token, item["question"]["stem"][:40], *given]
    assert [secret for secret in secrets if secret in written] == []
    assert len(log.lines()) == started + 4


def test_each_request_leaves_one_line_that_tells_route_status_time_and_id(
    learner: Person, log: Log
) -> None:
    session_id = uuid4()

    answers = [
        learner.get("/api/users/me", params={"q": MARK}),
        learner.get(f"/api/exams/sessions/{session_id}"),
        learner.post("/api/users/me/onboarding", json={}),
        learner.get(f"/api/nowhere/{MARK}"),
    ]

    lines = log.lines()
    assert [
        (line["message"], line["method"], line.get("route"), line["status"]) for line in lines
    ] == [
        ("request", "GET", "/api/users/me", 200),
        ("request", "GET", "/api/exams/sessions/{session_id}", 404),
        ("request", "POST", "/api/users/me/onboarding", 422),
        ("request", "GET", None, 404),
    ]
    for line, answer in zip(lines, answers, strict=True):
        assert line["request_id"] == answer.headers["X-Request-Id"]
        assert 0 <= line["milliseconds"] < 60_000
        assert line["level"] == "INFO"
    assert str(session_id) not in json.dumps(lines)
    assert MARK not in json.dumps(lines)


def test_the_line_bears_the_request_id_that_api_gateway_gave(database_url: str, log: Log) -> None:
    from local import invoke
    from local import template as sam

    function = sam.read().function("api.auth")
    event = json.loads(invoke.sample_event(function).read_text(encoding="utf-8"))
    event["requestContext"]["requestId"] = "gateway-id-1"

    result = invoke.call(function, event)

    assert result["statusCode"] == 200
    assert [line["request_id"] for line in log.lines() if line["message"] == "request"] == [
        "gateway-id-1"
    ]


class _Account(BaseModel):
    email: str
    attempts: int


def _one_by_another() -> None:
    try:
        _look_up()
    except LookupError as error:
        raise RuntimeError(PASSWORD) from error


def _look_up() -> None:
    raise LookupError(EMAIL)


def _quoting() -> list[Exception]:
    """Errors whose text quotes what they were about, as those of libraries do."""
    errors: list[Exception] = [KeyError(EMAIL), ValueError(f"cannot use {PASSWORD!r}")]
    with pytest.raises(ValueError, match=MARK) as invalid:
        TypeAdapter(_Account).validate_python({"email": EMAIL, "attempts": PASSWORD})
    with pytest.raises(RuntimeError, match=MARK) as caused:
        _one_by_another()
    caused.value.add_note(f"while {EMAIL} signed in")
    return [*errors, invalid.value, caused.value]


@pytest.mark.parametrize("error", _quoting(), ids=lambda error: type(error).__name__)
def test_a_fault_is_logged_with_its_kind_and_place_and_without_its_text(
    api: Any, log: Log, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    from studypack.accounts import signin

    def fail(*_args: Any, **_details: Any) -> Any:
        raise error

    monkeypatch.setattr(signin, "sign_in", fail)
    answer = api.post("/api/auth/login", json={"email": EMAIL, "password": PASSWORD})

    assert answer.status_code == 500
    written = log.everything()
    assert MARK not in written
    faults = [line for line in log.lines() if line["level"] == "ERROR"]
    assert [fault["exception_name"] for fault in faults] == [type(error).__name__]
    assert type(error).__name__ in faults[0]["exception"]
    assert "test_logs.py" in faults[0]["exception"]
    assert "in fail" in faults[0]["exception"]


def test_the_cause_of_a_fault_is_logged_too(
    api: Any, log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    from studypack.accounts import signin

    monkeypatch.setattr(signin, "sign_in", lambda *_args, **_details: _one_by_another())
    api.post("/api/auth/login", json={"email": EMAIL, "password": PASSWORD})

    [fault] = [line for line in log.lines() if line["level"] == "ERROR"]
    assert re.search(r"LookupError(?s:.*)direct cause(?s:.*)RuntimeError", fault["exception"])


def test_a_row_that_the_database_refuses_is_not_quoted_by_a_request(
    api: Any, log: Log, database_url: str
) -> None:
    _refuse_every_login_session()

    answer = api.post("/api/auth/signup", json={"email": EMAIL, "password": PASSWORD})

    assert answer.status_code == 500
    written = log.everything()
    assert MARK not in written
    assert "23505" in written or "P0001" in written


def test_a_row_that_the_database_refuses_is_not_quoted_by_a_job(
    learner: Person, log: Log, database_url: str
) -> None:
    from cron.purge_expired import handler
    from studypack.core.jobs import JobFailed

    with transaction() as session:
        session.execute(
            text(
                "CREATE FUNCTION public.refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
                " RAISE EXCEPTION 'not %', OLD.user_agent USING DETAIL = OLD.user_agent; END $$"
            )
        )
        session.execute(
            text(
                "CREATE TRIGGER refuse BEFORE DELETE ON auth.sessions"
                " FOR EACH ROW EXECUTE FUNCTION public.refuse()"
            )
        )
        session.execute(
            text(
                "UPDATE auth.sessions SET user_agent = :mark, expires_at = now() - interval '1 y'"
            ),
            {"mark": MARK},
        )

    with pytest.raises(JobFailed):
        handler({}, JobContext())

    written = log.everything()
    assert MARK not in written
    [fault] = [line for line in log.lines() if line["message"] == "job failed"]
    assert fault["job"] == "purge_expired"
    assert "P0001" in fault["exception"]


def _refuse_every_login_session() -> None:
    """A trigger that quotes the new account's address when its session is made."""
    with transaction() as session:
        session.execute(
            text(
                "CREATE FUNCTION public.refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
                " RAISE EXCEPTION 'no session' USING DETAIL ="
                " (SELECT email FROM auth.users WHERE id = NEW.user_id); END $$"
            )
        )
        session.execute(
            text(
                "CREATE TRIGGER refuse BEFORE INSERT ON auth.sessions"
                " FOR EACH ROW EXECUTE FUNCTION public.refuse()"
            )
        )


def test_what_a_job_reports_is_figures(learner: Person, log: Log) -> None:
    from cron.submit_expired_exams import handler

    session = exams.start(learner)
    exams.save(learner, session, session["items"][0], exams.any_answer(session["items"][0]))
    exams.move_clock(session["id"], 10**6)

    report = handler({}, JobContext())

    assert report["processed"] == 1
    [line] = [line for line in log.lines() if line["message"] == "job done"]
    assert {"job", "processed", "batches", "complete", "seconds"} <= line.keys()
    assert learner.email not in log.everything()


def test_a_requests_line_tells_who_what_was_refused_and_what_changed_in_security(
    api: Any, learner: Person, log: Log
) -> None:
    password = {"current_password": "violet canal lantern", "new_password": f"{MARK} lantern"}

    wrong = api.post("/api/auth/login", json={"email": learner.email, "password": PASSWORD})
    refused = learner.get("/api/admin/users")
    foreign = api.post("/api/auth/login", json={}, headers={"Origin": "https://evil.example"})
    changed = learner.post("/api/auth/password/change", json=password)

    answers = (wrong, refused, foreign, changed)
    assert [answer.status_code for answer in answers] == [401, 403, 403, 200]
    lines = [line for line in log.lines() if line["message"] == "request"]
    assert [(line.get("problem"), line.get("user_id"), line.get("events")) for line in lines] == [
        ("invalid_credentials", None, ["sign_in.refused"]),
        ("role_required", str(learner.id), None),
        ("origin_not_allowed", None, None),
        (None, str(learner.id), ["account.password_changed"]),
    ]
    assert all(line["timestamp"].endswith(("Z", "+00:00", "+0000")) for line in lines)
    assert MARK not in log.everything()


def test_what_a_sender_writes_makes_no_line_of_its_own(learner: Person, log: Log) -> None:
    forged = f'{MARK}\n{{"level":"ERROR","message":"request","user_id":"forged"}}\r\n'

    learner.get("/api/users/me", headers={"User-Agent": "x", "X-Request-Id": MARK})
    learner.patch("/api/users/me", json={"first_name": forged})
    learner.get("/api/nowhere/%0A%7B%22level%22%3A1%7D")

    assert len(log.lines()) == 3
    assert MARK not in log.everything()
    assert "forged" not in log.everything()
