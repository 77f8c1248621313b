"""Queues and their workers on moto's server: what is deleted, what comes back, what is given up."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest

from local import aws
from local import template as sam
from local.queues import Mapping, Queues

# Failed messages come back at once (a visibility timeout of 0), so that no test waits.
TEMPLATE = """
Resources:
  Mails:
    Type: AWS::SQS::Queue
    Properties:
      QueueName: {name}
      VisibilityTimeout: 0
      RedrivePolicy: {{deadLetterTargetArn: !GetAtt Dead.Arn, maxReceiveCount: 2}}
  Dead:
    Type: AWS::SQS::Queue
    Properties: {{QueueName: {name}-dead}}
  Sender:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: functions/
      Handler: workers.mails.handler.handler
      Events:
        Mails:
          Type: SQS
          Properties: {{Queue: !GetAtt Mails.Arn, BatchSize: {batch}, {types}}}
"""
PARTIAL = "FunctionResponseTypes: [ReportBatchItemFailures]"
WHOLE = "Enabled: true"


class Worker:
    """A worker that we tell what to do, and that keeps what it was given."""

    def __init__(self) -> None:
        self.batches: list[list[dict[str, Any]]] = []
        self.failing: set[str] = set()
        self.answer: Any = None
        self.error: Exception | None = None
        self.called = threading.Event()

    def __call__(self, _function: sam.Function, event: dict[str, Any]) -> Any:
        self.batches.append(event["Records"])
        self.called.set()
        if self.error is not None:
            raise self.error
        if self.answer is not None:
            return self.answer
        failed = [each for each in event["Records"] if each["body"] in self.failing]
        return {"batchItemFailures": [{"itemIdentifier": each["messageId"]} for each in failed]}

    def bodies(self) -> list[list[str]]:
        return [sorted(record["body"] for record in batch) for batch in self.batches]


class Bench:
    """A template's queues with a worker under our control."""

    def __init__(self, endpoint: str, *, batch: int, types: str) -> None:
        text = TEMPLATE.format(name=f"q-{uuid4().hex}", batch=batch, types=types)
        self.sqs = aws.client("sqs", endpoint)
        self.worker = Worker()
        self.queues = Queues(sam.parse(text), self.sqs, invoke=self.worker)
        [self.mapping] = self.queues.mappings

    def send(self, *bodies: str) -> None:
        for body in bodies:
            self.sqs.send_message(QueueUrl=self.mapping.queue_url, MessageBody=body)

    def left(self, queue: str = "Mails") -> int:
        answer = self.sqs.get_queue_attributes(
            QueueUrl=self.queues.urls[queue], AttributeNames=["ApproximateNumberOfMessages"]
        )
        return int(answer["Attributes"]["ApproximateNumberOfMessages"])


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    with aws.running() as url:
        yield url


@pytest.fixture
def bench(endpoint: str) -> Bench:
    return Bench(endpoint, batch=10, types=PARTIAL)


def drain(bench: Bench) -> tuple[int, int]:
    drained = bench.queues.drain_once(bench.mapping)
    return drained.received, drained.failed


def test_a_batch_that_is_done_is_gone(bench: Bench) -> None:
    bench.send("a", "b", "c")

    assert drain(bench) == (3, 0)
    assert bench.worker.bodies() == [["a", "b", "c"]]
    assert bench.left() == 0
    assert drain(bench) == (0, 0)


def test_only_the_messages_that_failed_come_again(bench: Bench) -> None:
    bench.send("good", "bad", "fine")
    bench.worker.failing = {"bad"}

    assert drain(bench) == (3, 1)
    assert bench.left() == 1

    bench.worker.failing = set()
    assert drain(bench) == (1, 0)
    assert bench.worker.bodies()[1] == ["bad"]
    assert bench.left() == 0


def test_a_worker_that_raises_gets_the_whole_batch_again(bench: Bench) -> None:
    bench.send("a", "b")
    bench.worker.error = RuntimeError("out of memory")

    drained = bench.queues.drain_once(bench.mapping)

    assert (drained.received, drained.failed) == (2, 2)
    assert drained.error == "RuntimeError: out of memory"
    assert bench.left() == 2


@pytest.mark.parametrize(
    "answer",
    [
        {"batchItemFailures": [{"itemIdentifier": "nobody"}]},
        {"batchItemFailures": [{"itemIdentifier": ""}]},
        {"batchItemFailures": [{"messageId": "x"}]},
        {"batchItemFailure": []},
        "done",
    ],
)
def test_an_answer_that_makes_no_sense_keeps_the_batch(bench: Bench, answer: Any) -> None:
    bench.send("a", "b")
    bench.worker.answer = answer

    assert drain(bench) == (2, 2)
    assert bench.left() == 2


@pytest.mark.parametrize("answer", [{}, {"batchItemFailures": None}, {"batchItemFailures": []}])
def test_an_answer_without_failures_is_success(bench: Bench, answer: Any) -> None:
    bench.send("a")
    bench.worker.answer = answer

    assert drain(bench) == (1, 0)
    assert bench.left() == 0


def test_without_partial_failures_the_answer_is_not_read(endpoint: str) -> None:
    bench = Bench(endpoint, batch=10, types=WHOLE)
    bench.send("a", "b")
    bench.worker.failing = {"a"}

    assert drain(bench) == (2, 0)
    assert bench.left() == 0


def test_a_message_that_always_fails_ends_in_the_dead_letter_queue(bench: Bench) -> None:
    bench.send("poison", "good")
    bench.worker.failing = {"poison"}

    results = [drain(bench) for _ in range(3)]

    assert results == [(2, 1), (1, 1), (0, 0)]
    assert (bench.left(), bench.left("Dead")) == (0, 1)


def test_a_batch_is_as_large_as_the_template_says(endpoint: str) -> None:
    small = Bench(endpoint, batch=2, types=PARTIAL)
    small.send("a", "b", "c")

    assert [drain(small), drain(small), drain(small)] == [(2, 0), (1, 0), (0, 0)]


def test_a_batch_beyond_ten_is_collected_and_deleted_in_several_calls(endpoint: str) -> None:
    text = TEMPLATE.replace("VisibilityTimeout: 0", "VisibilityTimeout: 60")
    worker = Worker()
    sqs = aws.client("sqs", endpoint)
    template = sam.parse(text.format(name=f"q-{uuid4().hex}", batch=25, types=PARTIAL))
    queues = Queues(template, sqs, invoke=worker)
    [mapping] = queues.mappings
    for number in range(23):
        sqs.send_message(QueueUrl=mapping.queue_url, MessageBody=str(number))

    drained = queues.drain_once(mapping)

    assert (drained.received, drained.failed) == (23, 0)
    assert len(worker.batches) == 1
    assert queues.drain_once(mapping).received == 0


def test_the_worker_sees_a_message_as_lambda_shows_it(bench: Bench) -> None:
    bench.sqs.send_message(
        QueueUrl=bench.mapping.queue_url,
        MessageBody=json.dumps({"id": 7}),
        MessageAttributes={"kind": {"DataType": "String", "StringValue": "welcome"}},
    )

    drain(bench)

    [[record]] = bench.worker.batches
    assert json.loads(record["body"]) == {"id": 7}
    assert record["eventSource"] == "aws:sqs"
    assert record["eventSourceARN"] == bench.mapping.queue_arn
    assert record["awsRegion"] == aws.REGION
    assert record["attributes"]["ApproximateReceiveCount"] == "1"
    assert record["messageAttributes"]["kind"]["stringValue"] == "welcome"


def test_the_projects_own_queue_worker_answers_as_the_mapping_expects(bench: Bench) -> None:
    """`queue_worker` with Powertools' batch processor on a batch as we make it."""
    from aws_lambda_powertools.utilities.batch import (
        BatchProcessor,
        EventType,
        process_partial_response,
    )

    def work(_function: sam.Function, event: dict[str, Any]) -> Any:
        def one(record: Any) -> None:
            if record.json_body["id"] == 2:
                raise ValueError("two is not wanted")

        return process_partial_response(
            event=event,  # type: ignore[arg-type]
            record_handler=one,
            processor=BatchProcessor(EventType.SQS, raise_on_entire_batch_failure=False),
        )

    bench.queues._invoke = work
    bench.send('{"id": 1}', '{"id": 2}')

    assert drain(bench) == (2, 1)
    assert bench.left() == 1


def test_started_queues_drain_by_themselves_until_stopped(bench: Bench) -> None:
    bench.queues.start()
    try:
        bench.send("a")
        assert bench.worker.called.wait(20)
    finally:
        bench.queues.stop()

    assert bench.worker.bodies()[0] == ["a"]
    assert bench.left() == 0


def test_queues_that_exist_already_are_kept_with_their_messages(bench: Bench) -> None:
    bench.send("a")
    template = sam.Template(
        functions=(),
        queues=(sam.Queue("Dead", "unused", 30, None, 0),),
        buckets=(),
        identities=(),
        cors=None,
    )

    first = aws.create_queues(template, bench.sqs)
    again = aws.create_queues(template, bench.sqs)

    assert first == again
    assert bench.left() == 1


def test_buckets_and_identities_of_the_template_are_there(endpoint: str) -> None:
    name = f"media-{uuid4().hex}"
    template = sam.parse(
        f"""
Resources:
  Media: {{Type: "AWS::S3::Bucket", Properties: {{BucketName: {name}}}}}
  Sender: {{Type: "AWS::SES::EmailIdentity", Properties: {{EmailIdentity: example.com}}}}
"""
    )

    aws.create_resources(template, endpoint)
    aws.create_resources(template, endpoint)

    buckets = aws.client("s3", endpoint).list_buckets()["Buckets"]
    assert name in {bucket["Name"] for bucket in buckets}
    identities = aws.client("ses", endpoint).list_identities()["Identities"]
    assert "example.com" in identities


def test_a_mapping_names_its_function_and_queue(bench: Bench) -> None:
    mapping: Mapping = bench.mapping

    assert (mapping.function.name, mapping.source.queue) == ("workers.mails", "Mails")
