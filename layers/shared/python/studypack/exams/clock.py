"""An exam's clock: when it ends, and what a pause does to that.

Pure: `now` is the database's time, passed in; all times carry a zone. A session stores its deadline
as it stands without the pause that is running; resuming adds that pause to it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from math import ceil
from typing import Final

from studypack.core.errors import Conflict

_NONE: Final = timedelta()


class PauseNotAllowed(Conflict):
    """The exam has no pauses, or is over."""

    code = "pause_not_allowed"


class AlreadyPaused(Conflict):
    """The exam is paused."""

    code = "already_paused"


class NotPaused(Conflict):
    """The exam is running."""

    code = "not_paused"


class PauseBudgetSpent(Conflict):
    """The exam's time for pauses is used up."""

    code = "pause_budget_spent"


@dataclass(frozen=True, slots=True)
class ExamClock:
    """A session's timing: what is stored, and what follows from it at any moment.

    A pause that outlasts its budget ends by itself: the exam runs again from that moment on,
    whether or not anybody has resumed it.
    """

    started_at: datetime
    deadline_at: datetime
    paused_at: datetime | None = None
    pause_used_seconds: int = 0
    pause_budget_seconds: int = 0

    @property
    def pause_left_seconds(self) -> int:
        """The budget that finished pauses have left."""
        return max(0, self.pause_budget_seconds - self.pause_used_seconds)

    @property
    def expires_at(self) -> datetime:
        """When this session ends if nobody touches it: what a sweep for expired ones looks at."""
        if self.paused_at is None:
            return self.deadline_at
        return self.deadline_at + timedelta(seconds=self.pause_left_seconds)

    def is_paused(self, now: datetime) -> bool:
        """Whether the clock stands still: paused, with budget left."""
        return self.paused_at is not None and self._pause(now) < self._budget

    def running_deadline(self, now: datetime) -> datetime:
        """When the exam would end if it ran from now on."""
        return self.deadline_at + self._pause(now)

    def is_expired(self, now: datetime) -> bool:
        """Whether the time is up; at the deadline itself it is. It is not while paused."""
        return now >= self.running_deadline(now)

    def remaining_seconds(self, now: datetime) -> int:
        """Whole seconds of working time left, rounded down: no display promises too much."""
        return max(_NONE, self.running_deadline(now) - now) // timedelta(seconds=1)

    def pause(self, now: datetime) -> ExamClock:
        """Stop the clock.

        Raises PauseNotAllowed without a budget or when the time is up, AlreadyPaused, or
        PauseBudgetSpent.
        """
        if self.pause_budget_seconds <= 0:
            raise PauseNotAllowed("This exam cannot be paused.")
        if self.is_expired(now):
            raise PauseNotAllowed("The time of this exam is up.")
        if self.is_paused(now):
            raise AlreadyPaused("This exam is paused already.")
        settled = self.settled(now)
        if settled.pause_left_seconds == 0:
            raise PauseBudgetSpent("The time for pauses is used up.")
        return replace(settled, paused_at=now)

    def resume(self, now: datetime) -> ExamClock:
        """Let the clock run again, its deadline moved by the pause, at most by the budget left.

        The budget is charged in whole seconds begun. A pause that ran out of budget is settled the
        same way; the time may be up by then. Raises NotPaused for a running exam.
        """
        if self.paused_at is None:
            raise NotPaused("This exam is not paused.")
        pause = self._pause(now)
        return replace(
            self,
            deadline_at=self.deadline_at + pause,
            paused_at=None,
            pause_used_seconds=self.pause_used_seconds + ceil(pause / timedelta(seconds=1)),
        )

    def settled(self, now: datetime) -> ExamClock:
        """The same clock, with a pause that has run out of budget turned into a finished one."""
        if self.paused_at is None or self.is_paused(now):
            return self
        return self.resume(now)

    @property
    def _budget(self) -> timedelta:
        return timedelta(seconds=self.pause_left_seconds)

    def _pause(self, now: datetime) -> timedelta:
        """How long the pause has lasted, at most its budget; nothing if `now` lies before it."""
        if self.paused_at is None:
            return _NONE
        return min(self._budget, max(_NONE, now - self.paused_at))
