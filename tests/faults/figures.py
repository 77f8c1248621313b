"""What a fault cost: the figures of one row of the table, and the promise that they must keep."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from tests.faults.audit import Findings
from tests.faults.client import Answer

COLUMNS = ("tries", "lost", "duplicated", "stuck", "5xx", "other 5xx")
"""`5xx` counts them all; `other 5xx` those that were neither 503 with Retry-After nor expected."""


@dataclass
class Figures:
    """How often a fault was caused and what became of the work under way."""

    fault: str
    expected: frozenset[int] = frozenset()
    """5xx besides 503 that this fault has to give."""
    tries: int = 0
    acknowledged: int = 0
    unreachable: int = 0
    unavailable: int = 0
    other: list[str] = field(default_factory=list)
    findings: Findings = field(default_factory=Findings)
    checked: bool = False

    def count(self, *answers: Answer) -> None:
        """Count what clients were told."""
        for answer in answers:
            if answer.status == 0:
                self.unreachable += 1
            elif self._may_be(answer):
                self.unavailable += 1
            elif answer.status >= 500:
                self.other.append(f"{answer.status} {answer.body}")
            elif answer.status < 300:
                self.acknowledged += 1

    def _may_be(self, answer: Answer) -> bool:
        unavailable = answer.status == HTTPStatus.SERVICE_UNAVAILABLE
        return answer.status in self.expected or (unavailable and answer.retry_after is not None)

    def count_all(self, answers: Iterable[Answer]) -> None:
        """Count several."""
        self.count(*answers)

    def add(self, findings: Findings) -> None:
        """Count what the database says afterwards."""
        self.findings += findings

    def document(self) -> dict[str, Any]:
        """The row as JSON."""
        return {
            "fault": self.fault,
            "tries": self.tries,
            "lost": len(self.findings.lost),
            "duplicated": len(self.findings.duplicated),
            "stuck": len(self.findings.stuck),
            "5xx": self.unavailable + len(self.other),
            "other 5xx": len(self.other),
            "acknowledged": self.acknowledged,
            "unreachable": self.unreachable,
            "checked": self.checked,
        }

    def hold(self) -> None:
        """Fail where the promise broke: nothing acknowledged lost, nothing twice, nothing stuck."""
        self.checked = True
        assert self.tries, "the fault was never caused"
        assert self.findings == Findings()
        assert self.other == []
