"""Every function's artifact runs on AWS's runtime emulator, cold and warm, against a database."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from local import aws, postgres
from local import template as sam
from local.environment import LOCAL_MAIL_TOKEN_KEY
from local.invoke import sample_event
from tests.artifacts import emulator
from tests.artifacts.conftest import Built, Measured

pytestmark = [pytest.mark.artifacts, pytest.mark.timeout(300)]

FUNCTIONS = sam.read().functions
COLD_STARTS = 3
WARM_CALLS = 20

Start = Callable[..., AbstractContextManager[emulator.Emulator]]


@pytest.fixture(scope="session")
def amazon() -> Iterator[str]:
    """The endpoint of stand-ins for the AWS services that a function asks by itself."""
    with aws.running() as endpoint:
        aws.create_resources(sam.read(), endpoint)
        yield endpoint


@pytest.fixture
def start(
    here: Built,
    python: Path,
    import_path: tuple[Path, ...],
    database_url: str,
    amazon: str,
    tmp_path: Path,
) -> Start:
    """Starts a function's artifact: `start(function, HANDLER=...)`."""

    def run(
        function: sam.Function, *, handler: str | None = None, **more: str
    ) -> AbstractContextManager[emulator.Emulator]:
        variables = {
            "AWS_LAMBDA_FUNCTION_NAME": function.logical_id,
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.memory_megabytes),
            "AWS_LAMBDA_FUNCTION_TIMEOUT": str(function.timeout_seconds),
            "STAGE": "test",
            "BUILD": "artifact",
            "DATABASE_URL": database_url,
            "WEB_BASE_URL": "https://app.example.com",
            "MAIL_TOKEN_KEY": LOCAL_MAIL_TOKEN_KEY,
            "AWS_ENDPOINT_URL": amazon,
            **aws.CREDENTIALS,
            **more,
        }
        return emulator.running(
            here.artifact(function),
            handler or f"{function.module}.{function.attribute}",
            python=python,
            path=import_path,
            variables=variables,
            log_file=tmp_path / "emulator.log",
        )

    return run


def event_of(function: sam.Function) -> Any:
    return json.loads(sample_event(function).read_text(encoding="utf-8"))


def check_answer(function: sam.Function, answer: Any) -> None:
    """An API function's health is 200 and names it; every other one says it came to the end."""
    if function.kind is sam.Kind.API:
        assert answer["statusCode"] == 200, answer
        assert json.loads(answer["body"]) == {
            "function": function.name.removeprefix("api."),
            "build": "artifact",
            "database": "reachable",
        }
    elif function.kind is sam.Kind.CRON:
        assert answer["job"] == function.name.removeprefix("cron."), answer
        assert answer["complete"] is True, answer
    else:
        assert answer.get("complete", True) is True, answer
        assert answer.get("batchItemFailures", []) == [], answer


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda each: each.name)
def test_an_artifact_answers_its_sample_event_cold_and_warm(
    function: sam.Function, start: Start, measured: list[Measured]
) -> None:
    event = event_of(function)

    colds = []
    for _ in range(COLD_STARTS):
        with start(function) as lambda_:
            for _ in range(1 + WARM_CALLS):
                check_answer(function, lambda_.call(event))
            colds.append(
                Measured(
                    name=function.name,
                    init=lambda_.init_milliseconds,
                    first=lambda_.call_milliseconds[0],
                    warm=lambda_.warm_milliseconds,
                    peak=lambda_.peak_megabytes,
                )
            )

    # The least disturbed one: whatever else this machine does only adds.
    measured.append(min(colds, key=lambda each: each.init))


def test_the_migrating_artifact_brings_an_empty_database_to_its_schema_once(
    start: Start, cluster: postgres.Cluster
) -> None:
    function = sam.read().function("ops.migrate")
    name = f"empty_{uuid4().hex}"
    url = postgres.ensure_database(cluster, name)
    try:
        with start(function, DATABASE_URL=url) as lambda_:
            first, second = lambda_.call({}), lambda_.call({})
    finally:
        postgres.drop_database(cluster, name)

    assert (first["outcome"], first["before"]) == ("migrated", "base")
    assert (second["outcome"], second["before"]) == ("unchanged", first["after"])


def request(method: str, path: str, body: Any = None, **headers: str) -> dict[str, Any]:
    """A request as API Gateway passes it on."""
    event: dict[str, Any] = event_of(sam.read().function("api.auth"))
    event |= {"rawPath": path, "routeKey": f"{method} {path}"}
    event["requestContext"]["http"] |= {"method": method, "path": path}
    event["headers"] |= {"origin": "https://app.example.com", **headers}
    if body is not None:
        event["body"] = json.dumps(body)
        event["headers"]["content-type"] = "application/json"
    return event


def test_a_learner_signs_up_and_in_through_the_artifacts_compiled_packages(start: Start) -> None:
    # argon2, e-mail validation and time zones are imported where they are used: health is no proof.
    address = {"email": "artifact@example.com", "password": "a long enough passphrase"}
    account = {**address, "first_name": "Ada", "timezone": "Europe/Vienna"}

    with start(sam.read().function("api.auth")) as auth:
        joined = auth.call(request("POST", "/api/auth/signup", account))
        entered = auth.call(request("POST", "/api/auth/login", address))
        refused = auth.call(request("POST", "/api/auth/login", address | {"password": "another"}))

    assert joined["statusCode"] == 201, joined
    assert entered["statusCode"] == 200, entered
    assert refused["statusCode"] == 401, refused


def test_the_database_secret_is_fetched_with_the_images_boto3(
    start: Start, amazon: str, database_url: str
) -> None:
    from sqlalchemy import make_url

    url = make_url(database_url)
    secret = {
        "username": url.username,
        "password": url.password,
        "host": url.host,
        "port": url.port,
        "dbname": url.database,
    }
    function = sam.read().function("api.auth")
    made = aws.client("secretsmanager", amazon).create_secret(
        Name=f"database-{uuid4().hex}", SecretString=json.dumps(secret)
    )

    with start(function, DATABASE_URL="", DATABASE_SECRET_ARN=made["ARN"]) as lambda_:
        check_answer(function, lambda_.call(event_of(function)))


@pytest.mark.parametrize(
    ("handler", "reason"),
    [
        ("api.exams.absent.handler", "No module named 'api.exams.absent'"),
        ("api.exams.handler.absent", "Handler 'absent' missing on module"),
        ("api.users.handler.handler", "No module named 'api.users'"),
    ],
)
def test_a_wrong_handler_or_a_siblings_is_named_by_the_runtime(
    handler: str, reason: str, start: Start
) -> None:
    exams = sam.read().function("api.exams")

    with start(exams, handler=handler) as lambda_, pytest.raises(emulator.FunctionFailed) as failed:
        lambda_.call(event_of(exams))

    assert reason in str(failed.value)


def test_nothing_runs_on_after_the_emulator_has_stopped(start: Start) -> None:
    function = FUNCTIONS[0]
    with start(function) as lambda_:
        lambda_.call(event_of(function))
        processes = [lambda_.process.pid, *lambda_._children()]

    found = subprocess.run(
        ["ps", "-o", "stat=", "-p", ",".join(map(str, processes))],
        capture_output=True,
        text=True,
        check=False,
    )
    assert len(processes) == 2
    # Whoever inherited a killed grandchild may take its time to bury it.
    assert [state for state in found.stdout.split() if not state.startswith("Z")] == []
