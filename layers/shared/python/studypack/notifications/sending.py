"""Hand what is due over to the provider, mail by mail, and write down what became of each.

No transaction is open while the provider is asked. What is promised, whatever crashes: no mail is
lost, and one is sent twice only where a try ended without an answer, which its log then says.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import text

from studypack.core.ids import uuid7
from studypack.core.telemetry import MetricUnit, get_logger, get_metrics
from studypack.integrations.email import (
    OperatorFault,
    Provider,
    Quota,
    Refused,
    Throttled,
    Unreached,
)
from studypack.notifications.claiming import claim, oldest_due, release
from studypack.notifications.models import EmailStatus
from studypack.notifications.persistence import execute
from studypack.notifications.preparing import GAVE_UP, Desk, End, Ready, Settled, open_desk, prepare
from studypack.notifications.rate import Bucket
from studypack.notifications.recording import Outcome, settle, step

BATCH: Final = 50
RESERVED_SHARE: Final = 0.1
"""Of a day's quota, for urgent mails alone: a broadcast must not use up what links to sign in need.
"""
UNKNOWN_QUOTA: Final = Quota(per_second=10, left_today=float("inf"))
FIRST_PAUSE: Final = timedelta(seconds=30)
LONGEST_PAUSE: Final = timedelta(hours=4)
SHORTEST_PAUSE: Final = timedelta(seconds=5)
GROWTH: Final = 4
THROTTLE_PAUSES: Final = (0.1, 0.4, 1.0, 2.0)
"""Seconds at most before the same mail is offered again; throttled once more, the run ends."""

_RANDOM: Final = secrets.SystemRandom()
"""Asks the system each time: SnapStart would copy the state of another generator."""

Clock = Callable[[], datetime]


@dataclass
class Figures:
    """What became of the mails of a run."""

    sent: int = 0
    failed: int = 0
    retried: int = 0
    """Tries that failed and will be followed by another."""
    cancelled: int = 0
    deferred: int = 0
    uncertain: int = 0
    """Found with a try that had ended without an answer."""
    throttled: int = 0
    passed_over: int = 0
    """Changed, or taken over by another worker, between claim and sending."""
    batches: int = 0
    is_complete: bool = False
    """Nothing more was due."""
    stopped: str | None = None
    """Why the run ended early: `throttled`, `quota_reserved` (only urgent mails go until the day's
    quota is there again), or an operator's fault; `quota_used_up` is one.
    """
    is_operators_fault: bool = False
    unsent: set[UUID] = field(default_factory=set)
    """Claimed, and to be sent by a later run."""


def database_clock() -> Clock:
    """The database's time, asked once and carried on by this machine's monotonic clock."""
    [row] = execute(text("SELECT clock_timestamp() AS at"), {})
    base: datetime = row["at"]
    started = time.monotonic()
    return lambda: base + timedelta(seconds=time.monotonic() - started)


def retry_after(attempt: int, jitter: float) -> timedelta:
    """How long to wait after the `attempt`-th failed try (from 1): exponential, with full jitter
    (`jitter` evenly from 0 to 1), so that what failed together does not come back together.
    """
    longest: timedelta = min(LONGEST_PAUSE, FIRST_PAUSE * GROWTH ** min(attempt - 1, 10))
    return max(SHORTEST_PAUSE, longest * jitter)


def send_due(
    provider: Provider,
    *,
    clock: Clock,
    has_time: Callable[[], bool] = lambda: True,
    ids: Sequence[UUID] | None = None,
    share: float = 1.0,
    batch: int = BATCH,
    sleep: Callable[[float], None] = time.sleep,
    jitter: Callable[[], float] = _RANDOM.random,
) -> Figures:
    """Send what is due (of `ids` only, if given) until nothing is left, the time is up or the
    provider will take no more.

    `clock`: what time it is (aware); `share`: of the provider's rate, between 0 and 1.
    Raises ConfigurationError naming a setting that is missing, before anything is claimed.
    """
    desk = open_desk()
    figures = Figures()
    try:
        quota = provider.quota() or UNKNOWN_QUOTA
    except OperatorFault as fault:
        _stop(figures, fault.code, is_operators_fault=True)
        return figures
    run = _Sending(provider, desk, figures, clock, has_time, sleep, jitter, quota, share)
    while figures.stopped is None and has_time():
        if run.left_today < 1:
            _stop(figures, "quota_used_up", is_operators_fault=True)
            break
        if not run.batch(int(min(run.left_today, batch)), ids):
            if ids is None and run.others(1) < 1 and oldest_due(clock()):
                _stop(figures, "quota_reserved", is_operators_fault=False)
                break
            figures.is_complete = True
            break
    return figures


class _Sending:
    """One run."""

    def __init__(
        self,
        provider: Provider,
        desk: Desk,
        figures: Figures,
        clock: Clock,
        has_time: Callable[[], bool],
        sleep: Callable[[float], None],
        jitter: Callable[[], float],
        quota: Quota,
        share: float,
    ) -> None:
        self.provider = provider
        self.desk = desk
        self.figures = figures
        self.clock = clock
        self.has_time = has_time
        self.sleep = sleep
        self.jitter = jitter
        self.left_today = quota.left_today
        self.reserved = quota.per_day * RESERVED_SHARE
        self.bucket = Bucket(quota.per_second * share, at=time.monotonic())

    def others(self, size: int) -> int:
        """How many of `size` mails may be such as are not urgent."""
        return int(min(max(0.0, self.left_today - self.reserved), size))

    def batch(self, size: int, ids: Sequence[UUID] | None) -> int:
        """Claim some mails and bring each to its next state; how many there were."""
        lease_id, now = uuid7(), self.clock()
        claimed = claim(lease_id, size=size, now=now, ids=ids, others=self.others(size))
        if not claimed:
            return 0
        self.figures.batches += 1
        self.figures.unsent.difference_update(each.id for each in claimed)
        for mail in claimed:
            if mail.may_be_sent:
                self.figures.uncertain += 1
                extra = {"email_id": str(mail.id), "template": mail.template.value}
                get_logger().warning("a mail may have been sent before", extra=extra)
        prepared = prepare(claimed, self.desk, now=now)
        settled = [each for each in prepared if isinstance(each, Settled)]
        settle(lease_id, settled, now=now)
        for each in settled:
            self._count_settled(each)
        self._send(lease_id, [each for each in prepared if isinstance(each, Ready)])
        return len(claimed)

    def _count_settled(self, settled: Settled) -> None:
        match settled.end:
            case End.CANCELLED:
                self.figures.cancelled += 1
            case End.DEFERRED:
                self.figures.deferred += 1
            case End.FAILED:
                self.figures.failed += 1

    def _send(self, lease_id: UUID, mails: Sequence[Ready]) -> None:
        before: Outcome | None = None
        untried = [mail.claimed.id for mail in mails]
        try:
            for mail in mails:
                if self.figures.stopped is not None or not self.has_time():
                    break
                # A result leaves this variable only once it is written down.
                is_ours = step(lease_id, before=before, mark=mail, now=self.clock())
                before = None
                if not is_ours:
                    self.figures.passed_over += 1
                    continue
                untried.remove(mail.claimed.id)
                before = self._try(mail)
                self._count(before)
        finally:
            if before is not None:
                step(lease_id, before=before, now=self.clock())
            release(lease_id, untried)
            self.figures.unsent.update(untried)

    def _try(self, mail: Ready) -> Outcome:
        """Offer one mail until the provider says something about it."""
        for pause in (*THROTTLE_PAUSES, None):
            wait = self.bucket.wait(time.monotonic())
            if wait > 0:
                self.sleep(wait)
            try:
                provider_id = self._hand_over(mail)
            except Throttled as problem:
                self.figures.throttled += 1
                self.bucket.slow_down()
                if pause is None or not self.has_time():
                    _stop(self.figures, problem.code, is_operators_fault=False)
                    break
                self.sleep(pause * (1 + self.jitter()) / 2)
                continue
            except Refused as problem:
                return Outcome(mail, EmailStatus.FAILED, problem.code, reason=problem.code)
            except Unreached as problem:
                return self._later(mail, problem)
            except OperatorFault as problem:
                _stop(self.figures, problem.code, is_operators_fault=True)
                return Outcome(mail, EmailStatus.PENDING, problem.code, is_try=False)
            self.bucket.speed_up()
            self.left_today -= 1
            return Outcome(mail, EmailStatus.SENT, provider_message_id=provider_id)
        return Outcome(mail, EmailStatus.PENDING, "throttled", is_try=False)

    def _hand_over(self, mail: Ready) -> str:
        claimed = mail.claimed
        tags = {"template": claimed.template.value, "email_id": str(claimed.id)}
        return self.provider.send(mail.raw, to=mail.to, tags=tags)

    def _later(self, mail: Ready, problem: Unreached) -> Outcome:
        attempt = mail.claimed.attempts + 1
        is_last = attempt >= self.desk.business.mail_attempts
        return Outcome(
            mail,
            EmailStatus.FAILED if is_last else EmailStatus.PENDING,
            problem.code,
            reason=GAVE_UP if is_last else None,
            retry_at=None if is_last else self.clock() + retry_after(attempt, self.jitter()),
            may_be_sent=problem.may_be_sent,
        )

    def _count(self, outcome: Outcome) -> None:
        match outcome.status:
            case EmailStatus.SENT:
                self.figures.sent += 1
                return
            case EmailStatus.FAILED:
                self.figures.failed += 1
            case _:
                self.figures.unsent.add(outcome.mail.claimed.id)
                self.figures.retried += outcome.is_try
        claimed = outcome.mail.claimed
        get_logger().warning(
            "a mail was not taken",
            extra={
                "email_id": str(claimed.id),
                "template": claimed.template.value,
                "code": outcome.error,
                "status": outcome.status.value,
                "attempt": claimed.attempts + 1,
            },
        )


def _stop(figures: Figures, code: str, *, is_operators_fault: bool) -> None:
    figures.stopped = code
    figures.is_operators_fault = is_operators_fault
    log = get_logger().error if is_operators_fault else get_logger().warning
    log("no more mails are sent for now", extra={"code": code})


def measure(figures: Figures, *, now: datetime | None = None) -> None:
    """Write the figures that alarms watch; with `now` also how long the oldest mail is overdue."""
    metrics = get_metrics()
    metrics.add_metric("EmailsSent", MetricUnit.Count, figures.sent)
    metrics.add_metric("EmailsFailed", MetricUnit.Count, figures.failed)
    metrics.add_metric("EmailsUncertain", MetricUnit.Count, figures.uncertain)
    metrics.add_metric("EmailsThrottled", MetricUnit.Count, figures.throttled)
    metrics.add_metric("EmailSendingStopped", MetricUnit.Count, int(figures.is_operators_fault))
    if now is not None:
        seconds = oldest_due(now).total_seconds()
        metrics.add_metric("EmailQueueAge", MetricUnit.Seconds, seconds)
    metrics.flush_metrics()
    metrics.clear_metrics()
