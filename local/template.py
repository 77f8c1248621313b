"""The one reading of template.yaml (AWS SAM) that the local stack and the tests share."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parent.parent
TEMPLATE = ROOT / "template.yaml"

_FUNCTIONS_FOLDER = "functions"
_SECONDS_IN_LAMBDA = 3
_MEGABYTES_IN_LAMBDA = 128


class TemplateError(ValueError):
    """The template says something that cannot be run here; the message names the resource."""


class Kind(StrEnum):
    """What a function is for; it follows from what triggers it and where it lies."""

    API = "api"
    CRON = "cron"
    WORKER = "worker"
    WEBHOOK = "webhook"
    OPS = "ops"
    """Run by a deployment or by hand."""


@dataclass(frozen=True)
class Route:
    """One route of the gateway, e.g. `ANY /api/exams/{proxy+}`."""

    method: str
    path: str

    def matches(self, method: str, path: str) -> bool:
        """Whether a request falls under this route."""
        return self.method in {"ANY", method} and bool(_path_pattern(self.path).fullmatch(path))

    @property
    def specificity(self) -> tuple[int, int, int]:
        """API Gateway's order: a full match, then the longest greedy one; ANY comes last."""
        greedy = "+}" in self.path
        return (0 if greedy else 1, len(self.path.split("/")), 0 if self.method == "ANY" else 1)


@dataclass(frozen=True)
class Schedule:
    """When EventBridge Scheduler invokes a function."""

    expression: str
    timezone: str
    input: str | None
    """The template's own payload (JSON); None: the scheduler's default event."""


@dataclass(frozen=True)
class QueueSource:
    """An event source mapping from a queue to a function."""

    queue: str
    """Logical id."""
    batch_size: int
    partial_failures: bool
    """ReportBatchItemFailures."""


@dataclass(frozen=True)
class Queue:
    """An SQS queue; its name here is its logical id unless the template gives a literal one."""

    logical_id: str
    name: str
    visibility_seconds: int
    dead_letter: str | None
    """Logical id of the queue that takes what failed too often."""
    max_receives: int


@dataclass(frozen=True)
class Function:
    """One Lambda function."""

    logical_id: str
    module: str
    attribute: str
    kind: Kind
    timeout_seconds: int
    memory_megabytes: int
    routes: tuple[Route, ...]
    schedules: tuple[Schedule, ...]
    sources: tuple[QueueSource, ...]

    @property
    def name(self) -> str:
        """What people call it, e.g. `api.exams` or `cron.score_exams`."""
        return self.module.removesuffix(".handler")

    @property
    def package(self) -> str:
        """The Python package with the function's own code, e.g. `api.exams`."""
        return self.module.rpartition(".")[0]


@dataclass(frozen=True)
class Cors:
    """What HttpApi answers to browsers of other origins; the origins are a setting."""

    methods: tuple[str, ...]
    headers: tuple[str, ...]
    exposed: tuple[str, ...]
    credentials: bool
    max_age_seconds: int


@dataclass(frozen=True)
class Template:
    """The functions and resources that the local stack runs."""

    functions: tuple[Function, ...]
    queues: tuple[Queue, ...]
    buckets: tuple[str, ...]
    identities: tuple[str, ...]
    cors: Cors | None

    def function(self, name: str) -> Function:
        """Find a function by its name (`cron.score_exams`) or logical id.

        Raises LookupError listing what exists.
        """
        for function in self.functions:
            if name in {function.name, function.logical_id, function.module}:
                return function
        known = "\n".join(f"  {each.name:32} {each.logical_id}" for each in self.functions)
        raise LookupError(f"there is no function {name!r} in the template; it has\n{known}")

    def of_kind(self, kind: Kind) -> Iterator[Function]:
        """The functions of one kind, in the template's order."""
        return (function for function in self.functions if function.kind is kind)

    def queue(self, logical_id: str) -> Queue:
        """Find a queue; raises TemplateError when the template has none of that id."""
        for queue in self.queues:
            if queue.logical_id == logical_id:
                return queue
        raise TemplateError(f"{logical_id}: no such queue in the template")

    def route(self, method: str, path: str) -> Function | None:
        """The function that API Gateway sends a request to: the most specific route wins."""
        found = [
            (route.specificity, function)
            for function in self.functions
            for route in function.routes
            if route.matches(method, path)
        ]
        return max(found, key=lambda each: each[0])[1] if found else None


def read(path: Path = TEMPLATE) -> Template:
    """Read a template file.

    Raises TemplateError naming the resource that does not fit.
    """
    return parse(path.read_text(encoding="utf-8"))


def parse(text: str, parameters: Mapping[str, str] | None = None) -> Template:
    """Read a template's text; see `read`. Parameters not given have the template's defaults."""
    document = load(text)
    resources: dict[str, Any] = _looked_up(document.get("Resources", {}), document, parameters)
    defaults = document.get("Globals", {}).get("Function", {})
    queues = tuple(_queue(name, body) for name, body in _typed(resources, "AWS::SQS::Queue"))
    functions = tuple(
        _function(name, {**defaults, **body})
        for name, body in _typed(resources, "AWS::Serverless::Function")
    )
    template = Template(
        functions=functions,
        queues=queues,
        buckets=tuple(
            _literal(body.get("BucketName"), name.lower())
            for name, body in _typed(resources, "AWS::S3::Bucket")
        ),
        identities=tuple(
            _literal(body.get("EmailIdentity"), f"{name.lower()}.example")
            for name, body in _typed(resources, "AWS::SES::EmailIdentity")
        ),
        cors=_cors(resources),
    )
    _check_references(template)
    return template


def load(text: str) -> dict[str, Any]:
    """A template as it stands; `!Ref X` is `{"Ref": "X"}`, `!If [...]` is `{"Fn::If": [...]}`."""
    document: dict[str, Any] = yaml.load(text, Loader=_CloudFormationLoader)  # noqa: S506 - safe
    return document


def _looked_up(value: Any, document: Mapping[str, Any], given: Mapping[str, str] | None) -> Any:
    """Replace every `!FindInMap` whose keys are literals or parameters by what it finds.

    Raises TemplateError naming a mapping that has no such key.
    """
    defaults = {
        name: parameter["Default"]
        for name, parameter in document.get("Parameters", {}).items()
        if "Default" in parameter
    }
    parameters: dict[str, Any] = {**defaults, **(given or {})}
    mappings: dict[str, Any] = document.get("Mappings", {})

    def find(keys: list[Any]) -> Any:
        names = [
            parameters.get(str(_referred(key))) if isinstance(key, dict) else key for key in keys
        ]
        found: Any = mappings
        for name in names:
            if not isinstance(found, dict) or name not in found:
                raise TemplateError(f"Mappings: {'.'.join(map(str, names))} is not there")
            found = found[name]
        return found

    def walk(part: Any) -> Any:
        if isinstance(part, dict):
            if set(part) == {"Fn::FindInMap"}:
                return find(part["Fn::FindInMap"])
            return {key: walk(each) for key, each in part.items()}
        return [walk(each) for each in part] if isinstance(part, list) else part

    return walk(value)


class _CloudFormationLoader(yaml.SafeLoader):
    """SafeLoader that reads `!Ref X` as `{"Ref": "X"}` and `!Fn x` as `{"Fn::Fn": x}`."""


def _construct_intrinsic(loader: yaml.SafeLoader, suffix: str, node: yaml.Node) -> dict[str, Any]:
    value: Any
    if isinstance(node, yaml.ScalarNode):
        value = loader.construct_scalar(node)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        value = loader.construct_mapping(node, deep=True)  # type: ignore[arg-type]
    if suffix == "GetAtt" and isinstance(value, str):
        value = value.split(".", 1)
    return {suffix if suffix in {"Ref", "Condition"} else f"Fn::{suffix}": value}


_CloudFormationLoader.add_multi_constructor("!", _construct_intrinsic)


def _typed(resources: Mapping[str, Any], kind: str) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, resource in resources.items():
        if resource.get("Type") == kind:
            yield name, resource.get("Properties", {})


def _function(logical_id: str, properties: Mapping[str, Any]) -> Function:
    module, attribute = _handler(logical_id, properties)
    events = list(properties.get("Events", {}).values())
    routes = tuple(
        Route(str(event.get("Method", "ANY")).upper(), event["Path"])
        for event in _events(events, "HttpApi")
    )
    schedules = tuple(_schedule(logical_id, event) for event in _events(events, "ScheduleV2"))
    sources = tuple(_source(logical_id, event) for event in _events(events, "SQS"))
    return Function(
        logical_id=logical_id,
        module=module,
        attribute=attribute,
        kind=_kind(module, routes=bool(routes), schedules=bool(schedules)),
        timeout_seconds=int(properties.get("Timeout", _SECONDS_IN_LAMBDA)),
        memory_megabytes=int(properties.get("MemorySize", _MEGABYTES_IN_LAMBDA)),
        routes=routes,
        schedules=schedules,
        sources=sources,
    )


def _handler(logical_id: str, properties: Mapping[str, Any]) -> tuple[str, str]:
    """Module and attribute of the handler as Python imports them here.

    CodeUri counts from the repository's root; `functions/` itself is on the path.
    """
    handler = properties.get("Handler")
    code = properties.get("CodeUri")
    if not isinstance(handler, str) or "." not in handler or not isinstance(code, str):
        raise TemplateError(f"{logical_id}: Handler and CodeUri must be literal, with a module")
    path, _, attribute = handler.rpartition(".")
    parts = [*Path(code).parts, *path.replace("/", ".").split(".")]
    if _FUNCTIONS_FOLDER in parts:
        parts = parts[parts.index(_FUNCTIONS_FOLDER) + 1 :]
    return ".".join(parts), attribute


def _kind(module: str, *, routes: bool, schedules: bool) -> Kind:
    if routes:
        return Kind.WEBHOOK if module.startswith("webhooks.") else Kind.API
    if module.startswith("ops."):
        return Kind.OPS
    return Kind.CRON if schedules else Kind.WORKER


def _events(events: Iterable[Mapping[str, Any]], kind: str) -> Iterator[Mapping[str, Any]]:
    return (event["Properties"] for event in events if event.get("Type") == kind)


def _schedule(logical_id: str, event: Mapping[str, Any]) -> Schedule:
    expression = event.get("ScheduleExpression")
    if not isinstance(expression, str):
        raise TemplateError(f"{logical_id}: ScheduleExpression must be literal")
    for unsupported in ("StartDate", "EndDate", "FlexibleTimeWindow"):
        if event.get(unsupported) not in (None, {"Mode": "OFF"}):
            raise TemplateError(f"{logical_id}: {unsupported} of a schedule is not run locally")
    timezone = _literal(event.get("ScheduleExpressionTimezone"), "UTC")
    payload = event.get("Input")
    return Schedule(expression, timezone, payload if isinstance(payload, str) else None)


def _source(logical_id: str, event: Mapping[str, Any]) -> QueueSource:
    queue = _referred(event.get("Queue"))
    if queue is None:
        raise TemplateError(f"{logical_id}: its queue must be one of this template")
    return QueueSource(
        queue=queue,
        batch_size=int(event.get("BatchSize", 10)),
        partial_failures="ReportBatchItemFailures" in event.get("FunctionResponseTypes", ()),
    )


def _queue(logical_id: str, properties: Mapping[str, Any]) -> Queue:
    if properties.get("FifoQueue"):
        raise TemplateError(f"{logical_id}: FIFO queues are not run locally")
    redrive = properties.get("RedrivePolicy") or {}
    return Queue(
        logical_id=logical_id,
        name=_literal(properties.get("QueueName"), logical_id),
        visibility_seconds=int(properties.get("VisibilityTimeout", 30)),
        dead_letter=_referred(redrive.get("deadLetterTargetArn")),
        max_receives=int(redrive.get("maxReceiveCount", 0)),
    )


def _cors(resources: Mapping[str, Any]) -> Cors | None:
    for _name, api in _typed(resources, "AWS::Serverless::HttpApi"):
        given = api.get("CorsConfiguration")
        if isinstance(given, dict):
            return Cors(
                methods=tuple(given.get("AllowMethods", ())),
                headers=tuple(given.get("AllowHeaders", ())),
                exposed=tuple(given.get("ExposeHeaders", ())),
                credentials=bool(given.get("AllowCredentials", False)),
                max_age_seconds=int(given.get("MaxAge", 0)),
            )
    return None


def _literal(value: Any, otherwise: str) -> str:
    return value if isinstance(value, str) else otherwise


def _referred(value: Any) -> str | None:
    """The logical id behind `!GetAtt Queue.Arn` or `!Ref Queue`."""
    if isinstance(value, dict):
        if "Fn::GetAtt" in value:
            return str(value["Fn::GetAtt"][0])
        if "Ref" in value:
            return str(value["Ref"])
    return None


def _check_references(template: Template) -> None:
    for function in template.functions:
        for source in function.sources:
            template.queue(source.queue)
    for queue in template.queues:
        if queue.dead_letter is not None:
            template.queue(queue.dead_letter)


def _path_pattern(path: str) -> re.Pattern[str]:
    parts = re.split(r"(\{[^}]+\})", path)
    return re.compile(
        "".join(
            (".+" if part.endswith("+}") else "[^/]+") if part.startswith("{") else re.escape(part)
            for part in parts
        )
    )
