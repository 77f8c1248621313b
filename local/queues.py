"""Drains SQS queues into their workers as Lambda's event source mappings do.

A batch is deleted when the worker returns. With ReportBatchItemFailures only the messages it names
stay; an answer that makes no sense, or a raised error, keeps the whole batch. What stays comes back
after the visibility timeout, and goes to the dead-letter queue after `maxReceiveCount` times.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from local import template as sam
from local.aws import create_queues
from local.invoke import call

_log = logging.getLogger(__name__)

Message = dict[str, Any]
"""What SQS's ReceiveMessage returns for one message."""

_AT_ONCE = 10  # SQS hands out and deletes at most ten messages a call
_PAUSE_AFTER_FAULT_SECONDS = 5.0


@dataclass(frozen=True)
class Drained:
    """What became of one batch."""

    received: int
    failed: int
    error: str | None = None


@dataclass(frozen=True)
class Mapping:
    """One queue, the function that works on it, and how."""

    function: sam.Function
    source: sam.QueueSource
    queue_url: str
    queue_arn: str


class Queues:
    """The event source mappings of a template, each drained by a thread of its own."""

    def __init__(
        self,
        template: sam.Template,
        sqs: Any,
        *,
        invoke: Callable[[sam.Function, dict[str, Any]], Any] = call,
    ) -> None:
        """Create the template's queues where they are missing."""
        self._sqs = sqs
        self._invoke = invoke
        self._stopping = threading.Event()
        self._threads: list[threading.Thread] = []
        self.urls = create_queues(template, sqs)
        self.mappings = [
            Mapping(function, source, url, self._arn(url))
            for function in template.functions
            for source in function.sources
            for url in [self.urls[source.queue]]
        ]

    def start(self) -> None:
        """Begin to drain."""
        for mapping in self.mappings:
            thread = threading.Thread(
                target=self._drain_until_stopped,
                args=(mapping,),
                name=f"queue {mapping.source.queue}",
                daemon=True,
            )
            thread.start()
            self._threads.append(thread)

    def stop(self) -> None:
        """Take no more batches and wait for those under way."""
        self._stopping.set()
        for thread in self._threads:
            thread.join()
        self._threads.clear()

    def drain_once(self, mapping: Mapping, *, wait_seconds: int = 0) -> Drained:
        """Hand the worker one batch, if there is one, and delete what it has done."""
        messages = self._receive(mapping, wait_seconds)
        if not messages:
            return Drained(0, 0)
        try:
            answer = self._invoke(mapping.function, sqs_event(mapping.queue_arn, messages))
        except Exception as error:  # whatever a worker raises, the batch comes again
            return Drained(len(messages), len(messages), f"{type(error).__name__}: {error}"[:500])
        failed = _failed(answer, messages) if mapping.source.partial_failures else set()
        self._delete(mapping, [each for each in messages if each["MessageId"] not in failed])
        return Drained(len(messages), len(failed))

    def _drain_until_stopped(self, mapping: Mapping) -> None:
        while not self._stopping.is_set():
            try:
                drained = self.drain_once(mapping, wait_seconds=1)
            except Exception:  # the stand-in restarts, the network fails: the next try may succeed
                _log.exception("queue %s", mapping.source.queue)
                self._stopping.wait(_PAUSE_AFTER_FAULT_SECONDS)
                continue
            if drained.failed:
                _log.error(
                    "%s: %d of %d messages failed%s",
                    mapping.function.name,
                    drained.failed,
                    drained.received,
                    f" ({drained.error})" if drained.error else "",
                )
            elif drained.received:
                _log.info("%s: %d messages done", mapping.function.name, drained.received)

    def _receive(self, mapping: Mapping, wait_seconds: int) -> list[Message]:
        messages: list[Message] = []
        while len(messages) < mapping.source.batch_size:
            answer = self._sqs.receive_message(
                QueueUrl=mapping.queue_url,
                MaxNumberOfMessages=min(_AT_ONCE, mapping.source.batch_size - len(messages)),
                WaitTimeSeconds=0 if messages else wait_seconds,
                AttributeNames=["All"],
                MessageAttributeNames=["All"],
            )
            received = answer.get("Messages", [])
            messages += received
            if len(received) < _AT_ONCE:
                break
        return messages

    def _delete(self, mapping: Mapping, messages: Sequence[Message]) -> None:
        for start in range(0, len(messages), _AT_ONCE):
            self._sqs.delete_message_batch(
                QueueUrl=mapping.queue_url,
                Entries=[
                    {"Id": str(number), "ReceiptHandle": message["ReceiptHandle"]}
                    for number, message in enumerate(messages[start : start + _AT_ONCE])
                ],
            )

    def _arn(self, url: str) -> str:
        answer = self._sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
        return str(answer["Attributes"]["QueueArn"])


def sqs_event(queue_arn: str, messages: Sequence[Message]) -> dict[str, Any]:
    """The event that Lambda makes of received messages."""
    region = queue_arn.split(":")[3]
    return {
        "Records": [
            {
                "messageId": message["MessageId"],
                "receiptHandle": message["ReceiptHandle"],
                "body": message["Body"],
                "attributes": message.get("Attributes", {}),
                "messageAttributes": {
                    name: {key[0].lower() + key[1:]: value for key, value in attribute.items()}
                    for name, attribute in message.get("MessageAttributes", {}).items()
                },
                "md5OfBody": message["MD5OfBody"],
                "eventSource": "aws:sqs",
                "eventSourceARN": queue_arn,
                "awsRegion": region,
            }
            for message in messages
        ]
    }


def _failed(answer: Any, messages: Sequence[Message]) -> set[str]:
    """The ids that a partial-batch answer keeps; all of them when it makes no sense, as AWS does.

    One thing is stricter: an object without `batchItemFailures` keeps the batch too, where AWS
    would take it for a success and lose the messages.
    """
    everything = {message["MessageId"] for message in messages}
    if answer is None or answer == {}:
        return set()
    if not isinstance(answer, dict) or "batchItemFailures" not in answer:
        return everything
    try:
        named = {failure["itemIdentifier"] for failure in answer["batchItemFailures"] or ()}
    except (KeyError, TypeError):
        return everything
    return named if named <= everything else everything
