"""Functions run one at a time as Lambda runs them, each with its sample event."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from local import invoke
from local import template as sam

FUNCTIONS = sam.read().functions


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda function: function.name)
def test_every_function_answers_its_sample_event(
    function: sam.Function, database_url: str, request: pytest.FixtureRequest
) -> None:
    event = json.loads(invoke.sample_event(function).read_text(encoding="utf-8"))
    if function.kind is sam.Kind.WEBHOOK:
        request.getfixturevalue("webhook_settings")
        request.getfixturevalue("mux_webhook_settings")

    result = invoke.call(function, event)

    if function.kind is sam.Kind.API:
        assert result["statusCode"] == 200
        health = json.loads(result["body"])
        assert (health["function"], health["database"]) == (function.name[4:], "reachable")
    elif function.kind is sam.Kind.OPS:
        assert result["complete"] is True
    elif function.kind is sam.Kind.WEBHOOK:
        assert result["statusCode"] == 400  # nobody can sign a sample that lies in a repository
    elif function.kind is sam.Kind.WORKER:
        assert result == {"batchItemFailures": []}
    else:
        assert result["job"] == function.name.removeprefix("cron.")
        assert result["complete"] is True


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda function: function.name)
def test_a_sample_event_of_the_api_asks_a_route_of_that_function(function: sam.Function) -> None:
    event = json.loads(invoke.sample_event(function).read_text(encoding="utf-8"))

    if function.kind in {sam.Kind.API, sam.Kind.WEBHOOK}:
        method = event["requestContext"]["http"]["method"]
        assert sam.read().route(method, event["rawPath"]) == function
    elif function.kind is sam.Kind.CRON:
        assert event["source"] == "aws.scheduler"


def test_the_command_prints_the_result_as_json(
    database_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    status = invoke.main(["PurgeExpiredFunction", "--event", "events/cron/purge_expired.json"])

    assert status == 0
    assert json.loads(capsys.readouterr().out)["job"] == "purge_expired"


def test_without_an_event_the_functions_sample_is_used(
    database_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert invoke.main(["api.exams"]) == 0

    assert json.loads(capsys.readouterr().out)["statusCode"] == 200


def test_an_unknown_name_lists_what_exists(capsys: pytest.CaptureFixture[str]) -> None:
    assert invoke.main(["cron.nothing"]) == 2

    told = capsys.readouterr().err
    assert "no function 'cron.nothing'" in told
    assert all(function.name in told for function in FUNCTIONS)


@pytest.mark.parametrize("content", [None, "{not json", b"\xff\xfe"])
def test_an_event_that_cannot_be_read_is_named(
    tmp_path: Path, content: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "event.json"
    if content is not None:
        path.write_bytes(content if isinstance(content, bytes) else content.encode())

    assert invoke.main(["cron.score_exams", "--event", str(path)]) == 2
    assert str(path) in capsys.readouterr().err


def test_the_context_counts_down_to_the_templates_timeout() -> None:
    function = sam.read().function("cron.purge_expired")
    context = invoke.context_for(function)

    assert 0 < context.get_remaining_time_in_millis() <= function.timeout_seconds * 1000
    assert context.aws_request_id
    assert context.function_name in context.invoked_function_arn


def test_a_context_past_its_deadline_has_no_time_left() -> None:
    spent = invoke.LocalContext("Late", 128, timeout_seconds=0)

    assert spent.get_remaining_time_in_millis() == 0


def test_a_handler_that_is_not_there_is_said_clearly() -> None:
    text = """
Resources:
  Lost:
    Type: AWS::Serverless::Function
    Properties: {CodeUri: local/, Handler: template.nothing}
"""
    with pytest.raises(sam.TemplateError, match=r"Lost: local\.template has no function nothing"):
        invoke.call(sam.parse(text).function("Lost"), {})
