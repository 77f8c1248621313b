"""Scheduled jobs and queue workers: one shape for transactions, logs, metrics and deadlines."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from studypack.core.database.transaction import transaction
from studypack.core.telemetry import MetricUnit, get_logger, get_metrics

STOP_BEFORE_MILLISECONDS = 10_000
"""No new batch begins with less than this left: a batch must fit into it."""


class Postponed(RuntimeError):
    """A message was left for the next run: this one's time is nearly up, or its work is not to be
    done now.
    """


class JobFailed(RuntimeError):
    """A job broke off. Lambda's runtime logs an exception's text by itself, so this one has none of
    the cause's, which may quote somebody's data.
    """


Handler = Callable[[dict[str, Any], Any], dict[str, Any]]


class LambdaContext(Protocol):
    """The part of Lambda's context that jobs read."""

    aws_request_id: str

    def get_remaining_time_in_millis(self) -> int: ...


@dataclass
class Run:
    """One run of a job: how long it may still work and how far it came."""

    name: str
    context: LambdaContext
    stop_before_milliseconds: int = STOP_BEFORE_MILLISECONDS
    processed: int = 0
    batches: int = 0
    complete: bool = False
    counts: dict[str, int] = field(default_factory=dict)
    skipped: int | None = None
    """Rows left for somebody to look at; None for a job that leaves none."""

    def has_time(self) -> bool:
        """Whether another batch may begin."""
        return self.context.get_remaining_time_in_millis() > self.stop_before_milliseconds

    def in_batches(self, batch: Callable[[Session], int]) -> None:
        """Repeat `batch`, each in its own transaction, until it returns 0 rows or the time runs
        out.

        A batch claims its rows with FOR UPDATE SKIP LOCKED, so that two runs at once share the
        work, and a kill loses at most the batch under way, which the next run does.
        """
        while self.has_time():
            with transaction() as session:
                done = batch(session)
            self.batches += 1
            self.processed += done
            if done == 0:
                self.complete = True
                return

    def in_batches_passing_over(self, batch: Callable[[Session, set[UUID]], int]) -> set[UUID]:
        """Like `in_batches`, for rows of which some cannot be done: `batch` adds their ids to the
        set that it is given, and passes over those that are in it.

        So a batch in which nothing could be done does not end the run: it is complete when nothing
        is left but what was passed over, which is returned and is tried anew by the next run.
        """
        passed_over: set[UUID] = set()
        while True:
            before = len(passed_over)
            self.complete = False
            self.in_batches(lambda session: batch(session, passed_over))
            if not self.complete or len(passed_over) == before:
                return passed_over

    def count(self, what: str, number: int) -> None:
        """Add to a figure of the run's report."""
        self.counts[what] = self.counts.get(what, 0) + number

    def skip(self, what: str, number: int) -> None:
        """Add to a figure of the report that somebody has to look at: it raises an alarm."""
        self.count(what, number)
        self.skipped = (self.skipped or 0) + number


def job(name: str) -> Callable[[Callable[[Run], None]], Handler]:
    """Make a Lambda handler of a job: its report is logged, counted and returned."""

    def decorate(work: Callable[[Run], None]) -> Handler:
        def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
            logger = get_logger()
            logger.set_correlation_id(context.aws_request_id)
            run = Run(name, context)
            started = time.perf_counter()
            try:
                work(run)
            except Exception:
                logger.exception("job failed", extra={"job": name, "processed": run.processed})
                raise JobFailed(f"{name} failed; its log line says why") from None
            return _report(run, started)

        handler.__doc__ = work.__doc__
        handler.__name__ = name
        return handler

    return decorate


def _report(run: Run, started: float) -> dict[str, Any]:
    """Log, count and return how far a run came."""
    seconds = round(time.perf_counter() - started, 3)
    report = {
        "job": run.name,
        "processed": run.processed,
        "batches": run.batches,
        "complete": run.complete,
        "seconds": seconds,
        **run.counts,
    }
    get_logger().info("job done", extra=report)
    metrics = get_metrics()
    metrics.add_dimension(name="job", value=run.name)
    metrics.add_metric("JobProcessed", MetricUnit.Count, run.processed)
    metrics.add_metric("JobIncomplete", MetricUnit.Count, 0 if run.complete else 1)
    metrics.add_metric("JobSeconds", MetricUnit.Seconds, seconds)
    if run.skipped is not None:
        metrics.add_metric("JobSkipped", MetricUnit.Count, run.skipped)
    metrics.flush_metrics()
    metrics.clear_metrics()
    return report


def queue_worker(name: str, process: Callable[[Session, dict[str, Any]], None]) -> Handler:
    """Make a Lambda handler of a queue's worker: each message in its own transaction, otherwise
    like `message_worker`.
    """

    def in_a_transaction(_run: Run, message: dict[str, Any]) -> None:
        with transaction() as session:
            process(session, message)

    return message_worker(name, in_a_transaction)


def message_worker(name: str, process: Callable[[Run, dict[str, Any]], None]) -> Handler:
    """Make a Lambda handler of a queue's worker, which sees to its transactions itself.

    A message that fails is reported alone (ReportBatchItemFailures) and comes again; the others are
    done. So do those for which too little time is left: a batch that ran into the time-out would
    come again whole, with what is done already.
    """

    def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
        from aws_lambda_powertools.utilities.batch import (
            BatchProcessor,
            EventType,
            process_partial_response,
        )
        from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord

        logger = get_logger()
        logger.set_correlation_id(context.aws_request_id)

        run = Run(name, context)
        started = time.perf_counter()

        def one(record: SQSRecord) -> None:
            if not run.has_time():
                run.count("postponed", 1)
                raise Postponed(f"{name} has no time left for this message")
            try:
                process(run, record.json_body)
            except Postponed:
                run.count("postponed", 1)
                raise
            except Exception:
                logger.exception(
                    "message failed", extra={"worker": name, "message_id": record.message_id}
                )
                run.count("failed", 1)
                raise
            run.processed += 1

        processor = BatchProcessor(event_type=EventType.SQS, raise_on_entire_batch_failure=False)
        answer = process_partial_response(
            event=event,
            record_handler=one,
            processor=processor,
            context=context,  # type: ignore[arg-type]
        )
        run.complete = not answer["batchItemFailures"]
        _report(run, started)
        return dict(answer)

    handler.__name__ = name
    return handler


def delete_in_batches(
    run: Run, what: str, statement: str, *, size: int = 1000, **given: Any
) -> None:
    """Delete or blank old rows a bounded batch at a time; `statement` does at most `:size`."""

    def batch(session: Session) -> int:
        result = session.execute(text(statement), {"size": size, **given})
        deleted = int(getattr(result, "rowcount", 0))
        run.count(what, deleted)
        return deleted

    run.complete = False
    run.in_batches(batch)
