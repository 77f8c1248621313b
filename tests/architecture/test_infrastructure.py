"""What template.yaml promises an operator: no function without logs, alarms, a place for failures
and least rights; parameters that contradict each other are refused by name.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from local import template as sam
from studypack.admin.course_files.files import asset_key, media_key
from studypack.core.config import Settings
from studypack.core.ids import uuid7

DOCUMENT = sam.load(sam.TEMPLATE.read_text(encoding="utf-8"))
RESOURCES: dict[str, Any] = DOCUMENT["Resources"]
TEMPLATE = sam.read()
FUNCTIONS = TEMPLATE.functions
APIS = list(TEMPLATE.of_kind(sam.Kind.API))
CRONS = list(TEMPLATE.of_kind(sam.Kind.CRON))
GLOBALS = DOCUMENT["Globals"]["Function"]

Resource = dict[str, Any]


def of_type(kind: str) -> dict[str, Resource]:
    return {name: each for name, each in RESOURCES.items() if each["Type"] == kind}


def properties(function: sam.Function) -> Resource:
    return {**GLOBALS, **RESOURCES[function.logical_id]["Properties"]}


ALARMS = of_type("AWS::CloudWatch::Alarm")


def watched() -> Iterator[tuple[str, str, Any]]:
    """Alarm, metric and the value of its one dimension that names a resource."""
    for name, alarm in ALARMS.items():
        given = alarm["Properties"]
        metrics = [each["MetricStat"]["Metric"] for each in given.get("Metrics", ())[1:]]
        for metric in metrics or [given]:
            yield name, metric["MetricName"], metric["Dimensions"][0]["Value"]


def by_name(function: sam.Function) -> str:
    return function.name


# Functions


@pytest.mark.parametrize("function", FUNCTIONS, ids=by_name)
def test_a_functions_logs_are_kept_for_a_month_and_no_longer(function: sam.Function) -> None:
    group = properties(function)["LoggingConfig"]["LogGroup"]["Ref"]

    assert RESOURCES[group]["Properties"]["RetentionInDays"] == 30


def test_every_log_group_forgets() -> None:
    groups = of_type("AWS::Logs::LogGroup")

    assert groups
    assert all(group["Properties"].get("RetentionInDays") for group in groups.values())


@pytest.mark.parametrize("function", FUNCTIONS, ids=by_name)
def test_a_functions_errors_throttles_and_long_runs_raise_an_alarm(function: sam.Function) -> None:
    target = {"Ref": function.logical_id}

    assert {metric for _, metric, value in watched() if value == target} == {
        "Errors",
        "Throttles",
        "Duration",
    }


def test_the_alarm_on_long_runs_measures_each_function_by_its_own_timeout() -> None:
    measured = {}
    for name, alarm in ALARMS.items():
        if not name.endswith("NearTimeoutAlarm"):
            continue
        first, *metrics = alarm["Properties"]["Metrics"]
        share = dict(re.findall(r"FILL\((m\d+), 0\) / (\d+)", first["Expression"]))
        for metric in metrics:
            function = metric["MetricStat"]["Metric"]["Dimensions"][0]["Value"]["Ref"]
            measured[function] = int(share[metric["Id"]])
    # Milliseconds over seconds times ten is a percentage.
    assert measured == {each.logical_id: each.timeout_seconds * 10 for each in FUNCTIONS}


@pytest.mark.parametrize("function", APIS, ids=by_name)
def test_an_api_function_starts_from_a_snapshot_of_a_published_version(
    function: sam.Function,
) -> None:
    given = properties(function)

    when_saving, otherwise = given["SnapStart"]["ApplyOn"]["Fn::If"][1:]
    assert (when_saving, otherwise) == ("None", "PublishedVersions")
    assert given["AutoPublishAlias"] == "live"
    # Else a deployment that changes only the layer would leave the alias on the former one.
    assert given["AutoPublishAliasAllProperties"] is True
    # Else each deployment's snapshots would be paid for, for ever.
    assert given["VersionDeletionPolicy"] == "Delete"


@pytest.mark.parametrize("function", APIS, ids=by_name)
def test_an_api_function_answers_before_the_gateway_gives_up(function: sam.Function) -> None:
    assert function.timeout_seconds < 30


@pytest.mark.parametrize("function", APIS, ids=by_name)
def test_a_prefix_is_served_bare_and_below(function: sam.Function) -> None:
    paths = {route.path for route in function.routes if route.method == "ANY"}
    below = {path.removesuffix("/{proxy+}") for path in paths if path.endswith("/{proxy+}")}

    assert below
    assert paths == below | {f"{path}/{{proxy+}}" for path in below}


def test_a_new_build_publishes_new_versions_even_if_only_a_parameter_changed() -> None:
    layer = RESOURCES["SharedLayer"]["Properties"]

    assert "${Build}" in layer["Description"]["Fn::Sub"]
    assert {"Ref": "SharedLayer"} in GLOBALS["Layers"]
    assert "Default" not in DOCUMENT["Parameters"]["Build"]


ASYNCHRONOUS = [each for each in FUNCTIONS if each.kind in {sam.Kind.CRON, sam.Kind.OPS}]


@pytest.mark.parametrize("function", ASYNCHRONOUS, ids=by_name)
def test_what_fails_in_the_background_is_kept_where_an_alarm_watches(
    function: sam.Function,
) -> None:
    invoke = properties(function)["EventInvokeConfig"]
    queue = invoke["DestinationConfig"]["OnFailure"]["Destination"]["Fn::GetAtt"][0]

    assert "MaximumRetryAttempts" in invoke
    assert_watched(queue)


@pytest.mark.parametrize("function", CRONS, ids=by_name)
def test_a_schedule_says_how_often_it_tries_and_where_it_gives_up(function: sam.Function) -> None:
    for event in RESOURCES[function.logical_id]["Properties"]["Events"].values():
        given = event["Properties"]
        assert "MaximumRetryAttempts" in given["RetryPolicy"]
        assert given["GroupName"] == {"Ref": "Schedules"}
        assert_watched(given["DeadLetterConfig"]["Arn"]["Fn::GetAtt"][0])


def assert_watched(queue: str) -> None:
    assert RESOURCES[queue]["Type"] == "AWS::SQS::Queue"
    name = {"Fn::GetAtt": [queue, "QueueName"]}
    depth = "ApproximateNumberOfMessagesVisible"
    assert [alarm for alarm, metric, value in watched() if (metric, value) == (depth, name)]


def test_every_other_function_waits_for_the_migration() -> None:
    others = [each for each in FUNCTIONS if each.kind is not sam.Kind.OPS]

    assert {RESOURCES[each.logical_id].get("DependsOn") for each in others} == {"SchemaMigration"}
    migration = RESOURCES["SchemaMigration"]["Properties"]
    # It runs again when the artifact with the revisions changes, and answers before CloudFormation
    # gives it up.
    assert migration["Artifact"] == {"Ref": "MigrateFunction.Version"}
    assert int(migration["ServiceTimeout"]) > TEMPLATE.function("ops.migrate").timeout_seconds


def test_a_setting_in_the_template_is_one_that_the_code_reads() -> None:
    known = {str(field.alias) for field in Settings.model_fields.values()}
    given = {
        name for function in FUNCTIONS for name in properties(function)["Environment"]["Variables"]
    }

    assert {name for name in given if not name.startswith("POWERTOOLS_")} <= known


# Queues


def problems_of_queues(template: sam.Template, document: Mapping[str, Any]) -> list[str]:
    """What is wrong with the queues that functions work on."""
    found = []
    for function in template.functions:
        given = document["Resources"][function.logical_id]["Properties"]
        found += [
            f"{function.logical_id}: no ScalingConfig.MaximumConcurrency"
            for event in given.get("Events", {}).values()
            if event["Type"] == "SQS" and "ScalingConfig" not in event["Properties"]
        ]
        for source in function.sources:
            queue = template.queue(source.queue)
            if queue.visibility_seconds < 6 * function.timeout_seconds:
                found.append(f"{queue.logical_id}: visible again before six timeouts have passed")
            if queue.dead_letter is None:
                found.append(f"{queue.logical_id}: no RedrivePolicy")
            if not source.partial_failures:
                found.append(f"{function.logical_id}: no ReportBatchItemFailures")
    return found


def test_a_worker_and_its_queue_give_way_to_each_other() -> None:
    assert problems_of_queues(TEMPLATE, DOCUMENT) == []


def test_a_worker_that_would_lose_or_repeat_messages_is_found() -> None:
    text = """
Globals: {Function: {CodeUri: functions/, Timeout: 60}}
Resources:
  Mails:
    Type: AWS::SQS::Queue
    Properties: {VisibilityTimeout: 359}
  Sender:
    Type: AWS::Serverless::Function
    Properties:
      Handler: workers.mails.handler.handler
      Events:
        Mails: {Type: SQS, Properties: {Queue: !GetAtt Mails.Arn}}
"""
    assert problems_of_queues(sam.parse(text), sam.load(text)) == [
        "Sender: no ScalingConfig.MaximumConcurrency",
        "Mails: visible again before six timeouts have passed",
        "Mails: no RedrivePolicy",
        "Sender: no ReportBatchItemFailures",
    ]


def test_no_queue_stores_messages_in_the_clear() -> None:
    queues = of_type("AWS::SQS::Queue")

    assert all(each["Properties"].get("SqsManagedSseEnabled") for each in queues.values())


# Rights


def statements() -> Iterator[tuple[str, Resource]]:
    for name, resource in RESOURCES.items():
        for part in _parts(resource):
            if isinstance(part, dict) and part.get("Effect") == "Allow":
                yield name, part


def _parts(value: Any) -> Iterator[Any]:
    yield value
    children = value.values() if isinstance(value, dict) else value
    for child in children if isinstance(value, dict | list) else ():
        yield from _parts(child)


ANY_RESOURCE = {"SendMails": "ses:GetAccount is about the account and knows no resource"}
"""Resource: why one of its statements may be about everything."""


def test_files_of_lessons_are_nobodys_without_our_signature() -> None:
    bucket = RESOURCES["LessonFiles"]
    given = bucket["Properties"]

    assert all(given["PublicAccessBlockConfiguration"].values())
    assert given["BucketEncryption"]
    assert bucket["DeletionPolicy"] == bucket["UpdateReplacePolicy"] == "Retain"
    [refused] = RESOURCES["LessonFilesPolicy"]["Properties"]["PolicyDocument"]["Statement"]
    assert refused["Effect"] == "Deny"
    assert refused["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}


@pytest.mark.parametrize(
    "key",
    [media_key("python-programming", "a.svg"), asset_key(uuid7(), uuid7(), b"", "a.pdf")],
    ids=["picture", "file"],
)
@pytest.mark.parametrize("action", ["s3:GetObject", "s3:PutObject"])
def test_admins_function_may_keep_what_a_courses_files_bring(action: str, key: str) -> None:
    place = f"${{LessonFiles.Arn}}/{key.partition('/')[0]}/*"
    holders = {
        name
        for name, each in statements()
        if action in _listed(each["Action"]) and place in map(str, _parts(each["Resource"]))
    }
    assert holders & POLICIES["api.admin"]


ANYBODY = {
    "SecretsEndpoint": "only functions reach it, through its security group, with their own rights",
    "StorageEndpoint": "the same, by the route tables of their subnets",
}


def test_no_right_is_about_everything() -> None:
    wide = {
        name
        for name, statement in statements()
        if "*" in _listed(statement.get("Resource"))
        or any(str(action).endswith("*") for action in _listed(statement["Action"]))
    }
    assert wide == set(ANY_RESOURCE)


def test_no_right_is_everybodys_without_a_reason() -> None:
    assert {name for name, each in statements() if each.get("Principal") == "*"} == set(ANYBODY)


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


POLICIES: dict[str, set[str]] = {
    "api.auth": {"ReadTotpKey", "ReadOAuthSecret", "NudgeMails"},
    "api.users": {"ReadTotpKey", "NudgeMails"},
    "api.exams": {"ReadReceiptKey"},
    "api.billing": {"ReadStripeSecret", "NudgeMails"},
    "api.admin": {
        "ReadStripeSecret",
        "NudgeMails",
        "ReadMuxSecret",
        "ReadLessonFiles",
        "WriteLessonFiles",
    },
    "api.community": {"ReadMailTokenKey"},
    "api.courses": {"ReadMuxSecret", "ReadLessonFiles"},
    "cron.dispatch_emails": {"SendMails", "ReadMailTokenKey"},
    "workers.send_emails": {"SendMails", "ReadMailTokenKey"},
    "cron.submit_expired_exams": {"ReadReceiptKey"},
    "cron.retry_stripe_events": {"ReadStripeSecret"},
    "cron.settle_with_stripe": {"ReadStripeSecret"},
    "cron.reconcile_stripe": {"ReadStripeSecret"},
    "webhooks.stripe": {"ReadStripeSecret", "NudgeMails"},
    "webhooks.mux": {"ReadMuxSecret"},
    "cron.settle_media": {"ReadMuxSecret", "WriteLessonFiles"},
}
"""What a function may beside reading the database's secret; a new right is written down here."""


@pytest.mark.parametrize("function", FUNCTIONS, ids=by_name)
def test_a_function_may_read_the_databases_secret_and_what_is_listed(
    function: sam.Function,
) -> None:
    given = properties(function)
    referred = {part["Ref"] for part in _parts(given["Policies"]) if _is_reference(part)}

    assert referred - {"AWS::NoValue"} == {
        "ReadDatabaseSecret",
        *POLICIES.get(function.name, set()),
    }
    assert "Role" not in given


def _is_reference(part: Any) -> bool:
    return isinstance(part, dict) and set(part) == {"Ref"}


SECRETS = {
    "RECEIPT_KEY_SECRET_ARN": ("ReadReceiptKey", {"Ref": "ReceiptKey"}),
    "TOTP_KEY_SECRET_ARN": ("ReadTotpKey", {"Ref": "TotpKey"}),
    "OAUTH_SECRET_ARN": ("ReadOAuthSecret", {"Ref": "OAuthSecretArn"}),
    "STRIPE_SECRET_ARN": ("ReadStripeSecret", {"Ref": "StripeSecretArn"}),
    "MUX_SECRET_ARN": ("ReadMuxSecret", {"Ref": "MuxSecretArn"}),
    "MAIL_TOKEN_SECRET_ARN": ("ReadMailTokenKey", {"Ref": "MailTokenKey"}),
}
"""Setting: what allows reading its secret, and which that is."""


@pytest.mark.parametrize("function", FUNCTIONS, ids=by_name)
def test_a_function_that_is_told_of_a_secret_may_read_it(function: sam.Function) -> None:
    given = RESOURCES[function.logical_id]["Properties"]
    variables = given.get("Environment", {}).get("Variables", {})
    told = {SECRETS[name][0]: value for name, value in variables.items() if name in SECRETS}

    reading = {policy for policy, _ in SECRETS.values()}
    assert set(told) == POLICIES.get(function.name, set()) & reading
    for policy, secret in told.items():
        assert (policy, secret) in SECRETS.values()
        [allowed] = RESOURCES[policy]["Properties"]["PolicyDocument"]["Statement"]
        assert allowed["Resource"] == secret


def test_every_secret_can_be_reached_from_the_network() -> None:
    [allowed] = RESOURCES["SecretsEndpoint"]["Properties"]["PolicyDocument"]["Statement"]
    reachable = list(_parts(allowed["Resource"]))

    assert [secret for _, secret in SECRETS.values() if secret not in reachable] == []


def test_codes_of_authenticator_apps_work_wherever_they_are_asked_for() -> None:
    # By default an ADMIN needs one: without the key nobody could be one.
    told = {
        function.name
        for function in APIS
        if "TOTP_KEY_SECRET_ARN" in properties(function).get("Environment", {})["Variables"]
    }
    assert told == {"api.auth", "api.users"}
    assert RESOURCES["TotpKey"]["Properties"]["GenerateSecretString"]["PasswordLength"] >= 43
    assert RESOURCES["TotpKey"]["DeletionPolicy"] == "Retain"


EGRESS = {
    "api.auth": "asks OAuth providers",
    "api.users": "tells the queue of urgent mails",
    "cron.dispatch_emails": "asks SES",
    "workers.send_emails": "asks SES",
    "api.billing": "asks Stripe",
    "api.admin": "asks Stripe and Mux",
    "cron.retry_stripe_events": "asks Stripe",
    "cron.settle_with_stripe": "asks Stripe",
    "cron.reconcile_stripe": "asks Stripe",
    "webhooks.stripe": "asks Stripe",
    "cron.settle_media": "asks Mux",
}
"""Functions that may call others' services, and why; the rest have no route to the internet."""


@pytest.mark.parametrize("function", FUNCTIONS, ids=by_name)
def test_only_listed_functions_have_a_way_to_the_internet(function: sam.Function) -> None:
    subnets = properties(function)["VpcConfig"]["Fn::If"][1]["SubnetIds"]
    kind = "Egress" if function.name in EGRESS else "Isolated"

    assert subnets == [{"Ref": f"{kind}SubnetA"}, {"Ref": f"{kind}SubnetB"}]


# Alarms


def test_every_alarm_tells_the_topic_when_it_begins_and_when_it_ends() -> None:
    for name, alarm in ALARMS.items():
        topic = [{"Ref": "Alarms"}]
        given = alarm["Properties"]
        assert (given["AlarmActions"], given["OKActions"]) == (topic, topic), name


def test_every_job_that_stops_running_raises_an_alarm() -> None:
    late = {
        alarm["Properties"]["Dimensions"][1]["Value"]: alarm["Properties"]
        for alarm in ALARMS.values()
        if alarm["Properties"].get("MetricName") == "JobProcessed"
    }

    assert set(late) == {
        each.name.removeprefix("cron.") for each in TEMPLATE.of_kind(sam.Kind.CRON)
    }
    assert all(each["TreatMissingData"] == "breaching" for each in late.values())


def test_every_job_that_leaves_rows_to_somebody_raises_an_alarm() -> None:
    source = sam.ROOT / "functions" / "cron"
    leaving = {path.stem for path in source.glob("*.py") if "run.skip(" in path.read_text("utf-8")}
    alarm = ALARMS["JobSkippedAlarm"]["Properties"]
    summed, *watched_metrics = alarm["Metrics"]

    watched_jobs = {
        each["MetricStat"]["Metric"]["Dimensions"][1]["Value"]: each["MetricStat"]["Metric"]
        for each in watched_metrics
    }
    assert len(leaving) >= 2
    assert watched_jobs.keys() == leaving
    assert {each["MetricName"] for each in watched_jobs.values()} == {"JobSkipped"}
    assert all(f"FILL({name}, 0)" in summed["Expression"] for name in leaving)
    assert alarm["TreatMissingData"] == "notBreaching"


def test_the_alarms_on_jobs_watch_the_metric_that_a_job_writes(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from local.invoke import LocalContext
    from studypack.core import telemetry
    from studypack.core.jobs import Run, job

    for name, value in GLOBALS["Environment"]["Variables"].items():
        if name.startswith("POWERTOOLS_"):
            monkeypatch.setenv(name, value)
    monkeypatch.setenv("POWERTOOLS_METRICS_DISABLED", "false")
    telemetry.get_metrics.cache_clear()

    @job("purge_expired")
    def nothing(run: Run) -> None:
        run.complete = True

    try:
        nothing({}, LocalContext("Job", 128, timeout_seconds=60))
    finally:
        telemetry.get_metrics.cache_clear()

    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines() if "_aws" in line]
    [line] = lines
    [written] = line["_aws"]["CloudWatchMetrics"]
    alarm = ALARMS["LatePurgeAlarm"]["Properties"]
    assert written["Namespace"] == alarm["Namespace"]
    assert alarm["MetricName"] in {metric["Name"] for metric in written["Metrics"]}
    [dimensions] = written["Dimensions"]
    assert {name: line[name] for name in dimensions} == {
        each["Name"]: each["Value"] for each in alarm["Dimensions"]
    }


def test_the_operations_page_says_of_each_alarm_what_to_do() -> None:
    page = (sam.ROOT / "docs/operations.md").read_text(encoding="utf-8")
    explained = re.findall(r"^\| `(\w+Alarm)` \|", page, flags=re.MULTILINE)

    assert sorted(explained) == sorted(ALARMS)


def test_the_operations_page_names_every_parameter() -> None:
    page = (sam.ROOT / "docs/operations.md").read_text(encoding="utf-8")

    assert [name for name in DOCUMENT["Parameters"] if f"`{name}`" not in page] == []


def test_the_dashboard_is_json_with_and_without_a_database_of_our_own() -> None:
    body, values = RESOURCES["Dashboard"]["Properties"]["DashboardBody"]["Fn::Sub"]
    _condition, with_aurora, without = values["DatabaseWidgets"]["Fn::If"]

    counts = []
    for widgets in (with_aurora["Fn::Sub"], without):
        text = re.sub(r"\$\{[^}]+\}", "x", body.replace("${DatabaseWidgets}", widgets))
        counts.append(len(json.loads(text)["widgets"]))
    assert counts == [10, 8]


# Parameters


def refusals(given: Mapping[str, str]) -> list[str]:
    """What CloudFormation would say of these parameters before it makes anything."""
    declared = DOCUMENT["Parameters"]
    values = {**{name: str(each.get("Default", "")) for name, each in declared.items()}, **given}
    said = [f"{name}: no such parameter" for name in given if name not in declared]
    for name, each in declared.items():
        allowed, pattern = each.get("AllowedValues"), each.get("AllowedPattern", "")
        if "Default" not in each and name not in given:
            said.append(f"{name}: missing")
        elif (allowed and values[name] not in allowed) or not re.search(pattern, values[name]):
            said.append(f"{name}: {values[name]!r} does not fit")
    for rule in DOCUMENT["Rules"].values():
        if _holds(rule["RuleCondition"], values):
            said += [
                each["AssertDescription"]
                for each in rule["Assertions"]
                if not _holds(each["Assert"], values)
            ]
    return said


def _holds(condition: Any, values: Mapping[str, str]) -> bool:
    [(function, arguments)] = condition.items()
    if function == "Fn::Not":
        return not _holds(arguments[0], values)
    if function == "Fn::Or":
        return any(_holds(each, values) for each in arguments)
    assert function == "Fn::Equals"
    left, right = (values[each["Ref"]] if isinstance(each, dict) else each for each in arguments)
    return bool(left == right)


ENOUGH = {"Build": "a1b2c3d", "WebBaseUrl": "https://learn.example.com"}
CERTIFICATE = "arn:aws:acm:eu-central-1:000000000000:certificate/1"
OAUTH_SECRET = "arn:aws:secretsmanager:eu-central-1:000000000000:secret:studypack/oauth-a1b2c3"
MUX_SECRET = "arn:aws:secretsmanager:eu-central-1:000000000000:secret:studypack/mux-a1b2c3"
STRIPE_SECRET = "arn:aws:secretsmanager:eu-central-1:000000000000:secret:studypack/stripe-a1b2c3"
URL = "postgresql://u:p@ep-1.eu-central-1.aws.neon.tech/studypack"
PAID = {"StripeSecretArn": STRIPE_SECRET, "Egress": "nat-gateway"}
HEARD = {"MailDomain": "example.com", "Egress": "nat-gateway"}


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"Database": "external", "DatabaseUrl": URL},
        {"DomainName": "api.example.com", "CertificateArn": CERTIFICATE, "HostedZoneId": "Z0A"},
        {
            "Stage": "prod",
            "AlarmEmail": "o@example.com",
            "StripeSecretArn": STRIPE_SECRET,
            "MailDomain": "learn.example.com",
            "Egress": "nat-gateway",
        },
        {"MailDomain": "example.com", "Database": "external", "DatabaseUrl": URL},
        {"StripeSecretArn": STRIPE_SECRET, "Database": "external", "DatabaseUrl": URL},
        {"MuxSecretArn": MUX_SECRET, "Egress": "nat-gateway"},
        {"GoogleClientId": "1.apps", "OAuthSecretArn": OAUTH_SECRET, "Egress": "nat-gateway"},
        {
            "GitHubClientId": "Iv1.a",
            "OAuthSecretArn": OAUTH_SECRET,
            "ApiBaseUrl": "https://api.example.com",
            "Database": "external",
            "DatabaseUrl": URL,
        },
        {"Profile": "low-cost", "OtherOrigin": "https://preview.example.com"},
    ],
)
def test_parameters_that_go_together_are_accepted(more: dict[str, str]) -> None:
    assert refusals({**ENOUGH, **more}) == []


@pytest.mark.parametrize(
    ("more", "named"),
    [
        ({"Database": "external"}, "DatabaseUrl"),
        ({"DatabaseUrl": URL}, "DatabaseUrl"),
        ({"Database": "external", "DatabaseUrl": "mysql://x"}, "DatabaseUrl"),
        ({"Database": "external", "DatabaseUrl": URL, "Egress": "nat-gateway"}, "Egress"),
        (
            {"Database": "external", "DatabaseUrl": URL, "DatabaseSnapshot": "arn:aws:rds:x"},
            "DatabaseSnapshot",
        ),
        ({"DomainName": "api.example.com"}, "CertificateArn"),
        ({"CertificateArn": CERTIFICATE}, "DomainName"),
        ({"HostedZoneId": "Z0A"}, "DomainName"),
        ({"Stage": "prod", **PAID, **HEARD}, "AlarmEmail"),
        ({"Stage": "prod", "AlarmEmail": "o@example.com", **HEARD}, "StripeSecretArn"),
        ({"Stage": "prod", "AlarmEmail": "o@example.com", **PAID}, "MailDomain"),
        ({"MailDomain": "example.com"}, "Egress"),
        ({"MailDomain": "hello@example.com", "Egress": "nat-gateway"}, "MailDomain"),
        ({"StripeSecretArn": STRIPE_SECRET}, "Egress"),
        ({"MuxSecretArn": MUX_SECRET}, "Egress"),
        ({"MuxSecretArn": "key", "Egress": "nat-gateway"}, "MuxSecretArn"),
        ({"StripeSecretArn": "sk_live_1", "Egress": "nat-gateway"}, "StripeSecretArn"),
        ({"GoogleClientId": "1.apps", "Egress": "nat-gateway"}, "OAuthSecretArn"),
        ({"GitHubClientId": "Iv1.a", "Egress": "nat-gateway"}, "OAuthSecretArn"),
        ({"GoogleClientId": "1.apps", "OAuthSecretArn": OAUTH_SECRET}, "Egress"),
        ({"GitHubClientId": "Iv1.a", "OAuthSecretArn": OAUTH_SECRET}, "Egress"),
        (
            {
                "DomainName": "api.example.com",
                "CertificateArn": CERTIFICATE,
                "ApiBaseUrl": "https://api.example.com",
            },
            "ApiBaseUrl",
        ),
        ({"EdgeKeys": "k" * 31}, "EdgeKeys"),
        (
            {
                "EdgeKeys": "k" * 32,
                "DomainName": "api.example.com",
                "CertificateArn": CERTIFICATE,
            },
            "DomainName",
        ),
        ({"Stage": "test"}, "Stage"),
        ({"AlarmEmail": "somebody"}, "AlarmEmail"),
        ({"OtherOrigin": "*"}, "OtherOrigin"),
        ({"OtherOrigin": "https://a.example.com/"}, "OtherOrigin"),
        ({"WebBaseUrl": "http://learn.example.com"}, "WebBaseUrl"),
        ({"WebBaseUrl": "https://*"}, "WebBaseUrl"),
        ({"DatabaseCapacity": "3"}, "DatabaseCapacity"),
        ({"Build": "a b"}, "Build"),
    ],
)
def test_parameters_that_contradict_each_other_are_refused_by_name(
    more: dict[str, str], named: str
) -> None:
    assert [each.partition(":")[0] for each in refusals({**ENOUGH, **more})] == [named]


def test_a_missing_parameter_is_named() -> None:
    assert refusals({}) == ["Build: missing", "WebBaseUrl: missing"]


@pytest.mark.parametrize("stage", ["dev", "prod"])
def test_the_stages_of_samconfig_fit_the_template(stage: str) -> None:
    config = tomllib.loads((sam.ROOT / "samconfig.toml").read_text(encoding="utf-8"))
    given = dict(
        each.split("=", 1) for each in config[stage]["deploy"]["parameters"]["parameter_overrides"]
    )

    assert given["Stage"] == stage
    assert refusals({**given, "Build": "a1b2c3d"}) == []
    # What the functions read from it at their first start.
    Settings.from_environment(
        {
            "STAGE": given["Stage"],
            "WEB_BASE_URL": given["WebBaseUrl"],
            "ALLOWED_ORIGINS": given.get("OtherOrigin", ""),
            "DATABASE_URL": "postgresql://host/name",
        }
    )


@pytest.mark.parametrize("profile", ["standard", "low-cost"])
def test_every_schedule_of_a_profile_can_be_run(profile: str) -> None:
    from local.scheduler import trigger

    template = sam.parse(sam.TEMPLATE.read_text(encoding="utf-8"), {"Profile": profile})
    expressions = {
        schedule.expression
        for function in template.of_kind(sam.Kind.CRON)
        for schedule in function.schedules
        if trigger(schedule)
    }

    # The saving profile runs everything at the same minute, so that the database wakes once.
    saving = {"cron(0 * * * ? *)", "cron(0 3 * * ? *)"}
    assert (expressions == saving) is (profile == "low-cost")
