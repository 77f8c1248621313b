"""Run one function as Lambda would: `python -m local.invoke cron.score_exams --event FILE`."""

from __future__ import annotations

import argparse
import importlib
import json
import sys
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from local import template as sam

_REGION = "eu-central-1"
_ACCOUNT = "000000000000"


@dataclass(frozen=True)
class LocalContext:
    """What Lambda passes beside the event; the clock starts when it is made."""

    function_name: str
    memory_limit_in_mb: int
    timeout_seconds: float
    aws_request_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    function_version: str = "$LATEST"
    log_stream_name: str = "local"
    started: float = field(default_factory=time.monotonic)

    @property
    def invoked_function_arn(self) -> str:
        """An ARN of an account that cannot exist."""
        return f"arn:aws:lambda:{_REGION}:{_ACCOUNT}:function:{self.function_name}"

    @property
    def log_group_name(self) -> str:
        """The log group that Lambda would write to."""
        return f"/aws/lambda/{self.function_name}"

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds until the template's timeout; never below zero."""
        left = self.timeout_seconds - (time.monotonic() - self.started)
        return max(0, round(left * 1000))


def context_for(function: sam.Function) -> LocalContext:
    """A context with the timeout and memory that the template gives the function."""
    return LocalContext(
        function_name=function.logical_id,
        memory_limit_in_mb=function.memory_megabytes,
        timeout_seconds=function.timeout_seconds,
    )


def load_handler(function: sam.Function) -> Callable[[Any, Any], Any]:
    """Import a function's handler.

    Raises TemplateError when the module has no such attribute.
    """
    module = importlib.import_module(function.module)
    handler = getattr(module, function.attribute, None)
    if not callable(handler):
        raise sam.TemplateError(
            f"{function.logical_id}: {function.module} has no function {function.attribute}"
        )
    return handler  # type: ignore[no-any-return]


def call(function: sam.Function, event: Any) -> Any:
    """Call a function's handler in this process and return what it returns, errors raised."""
    return load_handler(function)(event, context_for(function))


def sample_event(function: sam.Function) -> Path:
    """Where the function's sample event lies, e.g. events/cron/score_exams.json."""
    return sam.ROOT / "events" / Path(*function.name.split(".")).with_suffix(".json")


def main(arguments: list[str] | None = None) -> int:
    """Run the command line and return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m local.invoke", description=__doc__)
    parser.add_argument("name", metavar="NAME", help="cron.score_exams, or its logical id")
    parser.add_argument(
        "--event", type=Path, help="JSON file with the event; else the function's sample event"
    )
    parser.add_argument(
        "--state", type=Path, default=sam.ROOT / ".local", help="folder of the local database"
    )
    given = parser.parse_args(arguments)
    try:
        function = sam.read().function(given.name)
    except LookupError as error:
        sys.stderr.write(f"{error.args[0]}\n")
        return 2
    path = given.event or sample_event(function)
    try:
        event = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        sys.stderr.write(f"the event {path} cannot be read: {error}\n")
        return 2
    from local.stack import database  # its imports are slow, and `stack` needs this module

    with database(given.state):
        result = call(function, event)
    print(json.dumps(result, indent=2, default=str, ensure_ascii=False))
    return 0


if __name__ == "__main__":
    sys.exit(main())
