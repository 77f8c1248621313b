"""CloudFormation's custom resource protocol: every request gets an answer, whatever happens."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Callable
from typing import Any

from studypack.core.telemetry import get_logger

_SECONDS_TO_ANSWER = 10
_LONGEST_REASON = 1000
"""CloudFormation refuses an answer of more than 4 KB, and would then wait for its time-out."""

Handler = Callable[[dict[str, Any], Any], dict[str, Any]]


def custom_resource(work: Callable[[], dict[str, str]]) -> Handler:
    """Make a Lambda handler that does `work` on Create and Update and tells CloudFormation how it
    went.

    Deleting the resource does nothing: data outlives the stack. An event without ResponseURL is a
    person's own call: the report is returned and an error is raised.
    """

    def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
        logger = get_logger()
        logger.set_correlation_id(context.aws_request_id)
        if "ResponseURL" not in event:
            return _finished(work())
        report: dict[str, Any] = {}
        try:
            if event["RequestType"] != "Delete":
                report = _finished(work())
        except Exception as error:
            logger.exception("the deployment's task failed")
            _answer(event, "FAILED", _reason(error), {})
        else:
            _answer(event, "SUCCESS", "", report)
        return report

    return handler


def _finished(report: dict[str, str]) -> dict[str, Any]:
    get_logger().info("the deployment's task is done", extra={"report": report})
    return {**report, "complete": True}


def _reason(error: Exception) -> str:
    """What the operator reads in the stack's events; the log has the traceback."""
    return f"{type(error).__name__}: {error}"[:_LONGEST_REASON]


def _answer(event: dict[str, Any], status: str, reason: str, data: dict[str, Any]) -> None:
    """Put the outcome where CloudFormation waits for it: a signed S3 address, used once."""
    body = json.dumps(
        {
            "Status": status,
            "Reason": reason,
            # Always the same, so that no update looks like a replacement that deletes the former.
            "PhysicalResourceId": event.get("PhysicalResourceId") or event["LogicalResourceId"],
            "StackId": event["StackId"],
            "RequestId": event["RequestId"],
            "LogicalResourceId": event["LogicalResourceId"],
            "Data": data,
        }
    ).encode()
    request = urllib.request.Request(  # noqa: S310 - CloudFormation's own address
        event["ResponseURL"],
        data=body,
        method="PUT",
        # S3 signs the address for an empty content type.
        headers={"Content-Type": "", "Content-Length": str(len(body))},
    )
    with urllib.request.urlopen(request, timeout=_SECONDS_TO_ANSWER):  # noqa: S310
        pass
