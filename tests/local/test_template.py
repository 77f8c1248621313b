"""The reading of template.yaml, and the template's agreement with the code."""

from __future__ import annotations

import importlib.metadata
import re
import tomllib

import pytest
from packaging.markers import default_environment
from packaging.requirements import Requirement

from local import template as sam

QUEUED = """
Globals:
  Function: {CodeUri: functions/, Timeout: 28}
Resources:
  Mails:
    Type: AWS::SQS::Queue
    Properties:
      QueueName: !Sub "${AWS::StackName}-mails"
      VisibilityTimeout: 360
      RedrivePolicy: {deadLetterTargetArn: !GetAtt DeadMails.Arn, maxReceiveCount: 5}
  DeadMails:
    Type: AWS::SQS::Queue
  Bucket:
    Type: AWS::S3::Bucket
    Properties: {BucketName: studypack-media}
  Sender:
    Type: AWS::Serverless::Function
    Properties:
      Handler: workers.mails.handler.handler
      Timeout: 60
      Events:
        Mails:
          Type: SQS
          Properties:
            Queue: !GetAtt Mails.Arn
            BatchSize: 25
            FunctionResponseTypes: [ReportBatchItemFailures]
"""


def test_a_worker_knows_its_queue_and_how_its_failures_are_reported() -> None:
    template = sam.parse(QUEUED)

    sender = template.function("workers.mails")
    assert sender.kind is sam.Kind.WORKER
    assert (sender.module, sender.attribute) == ("workers.mails.handler", "handler")
    assert sender.timeout_seconds == 60
    assert sender.sources == (sam.QueueSource("Mails", batch_size=25, partial_failures=True),)
    assert template.queue("Mails") == sam.Queue("Mails", "Mails", 360, "DeadMails", 5)
    assert template.buckets == ("studypack-media",)


def test_a_function_in_a_folder_of_its_own_is_the_same_module() -> None:
    text = QUEUED.replace(
        "Handler: workers.mails.handler.handler",
        "CodeUri: functions/workers/mails\n      Handler: handler.handler",
    )

    assert sam.parse(text).function("Sender").module == "workers.mails.handler"


def test_an_unknown_function_is_answered_with_what_there_is() -> None:
    with pytest.raises(LookupError, match=r"no function 'cron.nothing'(?s:.*)workers\.mails"):
        sam.parse(QUEUED).function("cron.nothing")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("Queue: !GetAtt Mails.Arn", "Queue: !GetAtt Lost.Arn", "Lost: no such queue"),
        ("DeadMails.Arn", "Nowhere.Arn", "Nowhere: no such queue"),
        ("Queue: !GetAtt Mails.Arn", "Queue: arn:aws:sqs:x:y:z", "Sender: its queue"),
        ("VisibilityTimeout: 360", "FifoQueue: true", "Mails: FIFO"),
        ("Handler: workers.mails.handler.handler", "Handler: handler", "Sender: Handler"),
    ],
)
def test_what_cannot_be_run_names_the_resource(old: str, new: str, message: str) -> None:
    with pytest.raises(sam.TemplateError, match=message):
        sam.parse(QUEUED.replace(old, new, 1))


MAPPED = """
Parameters:
  Profile: {Type: String, Default: standard}
Mappings:
  Profiles:
    standard: {Sweeps: rate(1 minute)}
    low-cost: {Sweeps: "cron(0 * * * ? *)"}
Resources:
  Job:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: functions/
      Handler: cron.job.handler
      Events:
        Sweep:
          Type: ScheduleV2
          Properties: {ScheduleExpression: !FindInMap [Profiles, !Ref Profile, Sweeps]}
"""


@pytest.mark.parametrize(
    ("given", "expression"),
    [({}, "rate(1 minute)"), ({"Profile": "low-cost"}, "cron(0 * * * ? *)")],
)
def test_a_schedule_may_depend_on_a_parameter(given: dict[str, str], expression: str) -> None:
    [schedule] = sam.parse(MAPPED, given).function("cron.job").schedules

    assert schedule.expression == expression


def test_a_mapping_without_the_key_is_named() -> None:
    with pytest.raises(sam.TemplateError, match=r"Profiles\.fast\.Sweeps is not there"):
        sam.parse(MAPPED, {"Profile": "fast"})


def test_what_only_a_deployment_runs_is_neither_a_job_nor_a_worker() -> None:
    migrate = sam.read().function("ops.migrate")

    assert (migrate.kind, migrate.routes, migrate.schedules) == (sam.Kind.OPS, (), ())


def test_a_schedule_with_an_end_is_refused() -> None:
    text = """
Resources:
  Job:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: functions/
      Handler: cron.job.handler
      Events:
        Daily:
          Type: ScheduleV2
          Properties: {ScheduleExpression: rate(1 day), EndDate: "2027-01-01T00:00:00Z"}
"""
    with pytest.raises(sam.TemplateError, match="Job: EndDate"):
        sam.parse(text)


ROUTED = """
Resources:
  All:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: functions/
      Handler: api.all.handler.handler
      Events:
        All: {Type: HttpApi, Properties: {Method: ANY, Path: "/api/{proxy+}"}}
  Exams:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: functions/
      Handler: api.exams.handler.handler
      Events:
        Bare: {Type: HttpApi, Properties: {Method: ANY, Path: /api/exams}}
        Below: {Type: HttpApi, Properties: {Method: ANY, Path: "/api/exams/{proxy+}"}}
        One: {Type: HttpApi, Properties: {Method: get, Path: "/api/questions/{id}/exam"}}
  Stripe:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: functions/
      Handler: webhooks.stripe.handler.handler
      Events:
        Hook: {Type: HttpApi, Properties: {Method: POST, Path: /api/webhooks/stripe}}
"""


@pytest.mark.parametrize(
    ("method", "path", "owner"),
    [
        ("GET", "/api/exams", "Exams"),
        ("POST", "/api/exams/sessions/7/responses", "Exams"),
        ("GET", "/api/questions/7/exam", "Exams"),
        ("POST", "/api/questions/7/exam", "All"),
        ("GET", "/api/questions/7/8/exam", "All"),
        ("GET", "/api/examsession", "All"),
        ("POST", "/api/webhooks/stripe", "Stripe"),
        ("GET", "/elsewhere", None),
    ],
)
def test_the_most_specific_route_gets_the_request(
    method: str, path: str, owner: str | None
) -> None:
    found = sam.parse(ROUTED).route(method, path)

    assert (found.logical_id if found else None) == owner


def test_a_function_with_routes_in_the_webhooks_folder_is_a_webhook() -> None:
    assert sam.parse(ROUTED).function("Stripe").kind is sam.Kind.WEBHOOK


def test_every_function_of_the_project_is_there_and_named_after_its_module() -> None:
    template = sam.read()
    folder = sam.ROOT / "functions"
    handlers = {
        *(path.parent for path in folder.glob("*/*/handler.py")),
        *(path.with_suffix("") for path in folder.glob("cron/*.py") if path.stem != "__init__"),
    }

    assert {function.name for function in template.functions} == {
        ".".join(path.relative_to(folder).parts) for path in handlers
    }


def test_every_function_has_a_sample_event() -> None:
    from local.invoke import sample_event

    missing = [
        function.name for function in sam.read().functions if not sample_event(function).is_file()
    ]
    assert missing == []


def _layer_pins() -> dict[str, str]:
    path = sam.ROOT / "layers/shared/python/requirements.txt"
    return dict(
        line.split("==", 1)
        for line in path.read_text(encoding="utf-8").split("\n")
        if line and not line.startswith("#")
    )


def test_the_layer_installs_the_versions_of_the_lock() -> None:
    lock = (sam.ROOT / "requirements.lock").read_text(encoding="utf-8")
    locked = dict(re.findall(r"^([a-z0-9-]+)==(\S+)", lock, flags=re.MULTILINE))
    pins = _layer_pins()

    assert pins == {name: locked.get(name) for name in pins}


def test_the_layer_installs_what_the_project_and_its_api_functions_need_and_no_more() -> None:
    project = tomllib.loads((sam.ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    wanted = [*project["project"]["dependencies"], *project["dependency-groups"]["api"]]

    assert set(_layer_pins()) == _closure([Requirement(text) for text in wanted])


def _closure(requirements: list[Requirement]) -> set[str]:
    """The names that requirements pull in on Lambda: Python 3.13 on Linux."""
    lambda_runtime = {**default_environment(), "python_version": "3.13", "sys_platform": "linux"}
    lambda_runtime |= {"python_full_version": "3.13.0", "platform_machine": "aarch64"}
    found: set[str] = set()
    waiting = [(requirement, "") for requirement in requirements]
    while waiting:
        requirement, _parent = waiting.pop()
        name = re.sub(r"[-_.]+", "-", requirement.name).lower()
        found.add(name)
        for text in importlib.metadata.requires(name) or ():
            needed = Requirement(text)
            extras = {"", *requirement.extras}
            applies = needed.marker is None or any(
                needed.marker.evaluate({**lambda_runtime, "extra": extra}) for extra in extras
            )
            key = re.sub(r"[-_.]+", "-", needed.name).lower()
            if applies and key not in found:
                waiting.append((needed, name))
    return found


@pytest.mark.parametrize("name", ["template.yaml", "edge.yaml"])
def test_a_template_passes_cfn_lint(name: str) -> None:
    from cfnlint.api import lint_file

    assert [str(match) for match in lint_file(sam.ROOT / name)] == []
