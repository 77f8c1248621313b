"""Runs scenarios: people act, the crons run at their times, and what came of it is read back."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Any, Final
from unittest.mock import patch

from sqlalchemy import text

from local.environment import applied, variables
from local.simulate import studies
from local.simulate.clock import Clock, simulated_database
from local.simulate.mailbox import Mailbox
from local.simulate.scenario import START, Scenario
from local.simulate.world import World
from studypack.core.database import transaction
from studypack.notifications.catalogue import CATALOGUE
from studypack.notifications.models import Category, EmailTemplate

WEB: Final = "https://app.example.com"
OWN: Final = frozenset(
    template.value
    for template, entry in CATALOGUE.items()
    if entry.category is Category.ACCOUNT and template is not EmailTemplate.WELCOME
)
"""The account's own mails: shown, and not among those that a scenario expects."""


class Kind(StrEnum):
    """What an entry of the timeline is."""

    ACT = "act"
    SEND = "SEND"
    WITHHOLD = "WITHHOLD"
    DEFER = "DEFER"
    CANCEL = "CANCEL"
    MAIL = "mail"


@dataclass(frozen=True)
class Entry:
    """One line of the timeline."""

    at: datetime
    kind: Kind
    what: str
    """An act, or a template."""
    rule: str = ""
    reason: str = ""
    detail: str = ""


@dataclass(frozen=True)
class Played:
    """What came of a scenario."""

    scenario: Scenario
    entries: Sequence[Entry]

    def _of(self, kind: Kind) -> list[str]:
        return [f"{each.what} {each.reason}" for each in self.entries if each.kind is kind]

    @property
    def sent(self) -> list[str]:
        """Templates in the order in which they went, but the account's own."""
        return [
            each.what for each in self.entries if each.kind is Kind.MAIL and each.what not in OWN
        ]

    @property
    def cancelled(self) -> list[str]:
        """`TEMPLATE reason`."""
        return self._of(Kind.CANCEL)

    @property
    def differences(self) -> list[str]:
        """What is not as the scenario expects, in words."""
        expected = self.scenario.expect
        found = []
        if self.sent != list(expected.sent):
            found.append(f"sent {self.sent}, expected {list(expected.sent)}")
        if sorted(self.cancelled) != sorted(expected.cancelled):
            found.append(f"cancelled {self.cancelled}, expected {list(expected.cancelled)}")
        if sorted(self._of(Kind.DEFER)) != sorted(expected.put_off):
            found.append(f"put off {self._of(Kind.DEFER)}, expected {list(expected.put_off)}")
        missing = sorted(set(expected.withheld) - set(self._of(Kind.WITHHOLD)))
        if missing:
            found.append(f"not withheld: {missing}, but {self._of(Kind.WITHHOLD)}")
        return found


def play(scenarios: Sequence[Scenario], state: Path) -> list[Played]:
    """Play all of them in one database under one clock: their people do not know each other."""
    with simulated_database(state, START) as (url, clock):
        settings = variables(database_url=url, web_base_url=WEB, given={})
        # What a mail that is out of order logs would stand between the lines of the timelines.
        quiet = {"DATABASE_POOL_SIZE": "1", "POWERTOOLS_LOG_LEVEL": "CRITICAL"}
        with applied({**settings, **quiet}):
            mailbox = Mailbox()
            with _crons(mailbox) as run_crons:
                studies.make_course(START)
                worlds = {each.name: World(each.name, each.timezone, mailbox) for each in scenarios}
                _pass_time(scenarios, worlds, clock, run_crons)
            return [Played(each, _entries(each, worlds[each.name])) for each in scenarios]


@contextmanager
def _crons(mailbox: Mailbox) -> Iterator[Callable[[], None]]:
    """The scheduled functions themselves, with the mailbox in the place of SES."""
    from cron import dispatch_emails, enqueue_emails
    from local import template as sam
    from local.invoke import context_for

    functions = {each.name: each for each in sam.read().of_kind(sam.Kind.CRON)}

    def run() -> None:
        for job in (enqueue_emails, dispatch_emails):
            job.handler({}, context_for(functions[job.__name__]))

    with patch.object(dispatch_emails, "get_ses", return_value=mailbox):
        yield run


def _pass_time(
    scenarios: Sequence[Scenario],
    worlds: dict[str, World],
    clock: Clock,
    run_crons: Callable[[], None],
) -> None:
    """Every hour, and five minutes after whatever somebody does: between those moments the crons
    would find nothing that they will not find then.
    """
    acts = sorted(
        ((step.moment, each.name, step) for each in scenarios for step in each.steps),
        key=lambda act: act[0],
    )
    end = max(each.end for each in scenarios)
    hours = int((end - START) / timedelta(hours=1))
    runs = {START + timedelta(hours=hour) for hour in range(hours + 1)}
    runs |= {at + timedelta(minutes=5) for at, *_ in acts}
    for at in sorted({at for at, *_ in acts} | runs):
        clock.set(at)
        for _, name, step in (act for act in acts if act[0] == at):
            worlds[name].do(step.do, dict(step.facts), now=at)
        if at in runs:
            run_crons()


_DECIDED = text(
    """
    SELECT decided_at AS at, verdict, template, rule, reason, evidence
      FROM notifications.email_decisions WHERE user_id = :id AND decided_at <= :end ORDER BY id
    """
)
_SENT = text(
    """
    SELECT sent_at AS at, template, subject FROM notifications.email_logs
     WHERE user_id = :id AND status = 'SENT' AND sent_at <= :end
     ORDER BY sent_at, id
    """
)


def _entries(scenario: Scenario, world: World) -> list[Entry]:
    acts = [
        Entry(step.moment, Kind.ACT, step.do.replace("_", " "), detail=_words(step.facts))
        for step in scenario.steps
    ]
    with transaction() as session:
        values = {"id": world.user_id, "end": scenario.end}
        decided = [
            Entry(row.at, Kind(row.verdict), row.template, row.rule, row.reason, _until(row))
            for row in session.execute(_DECIDED, values)
        ]
        sent = [
            Entry(row.at, Kind.MAIL, row.template, detail=row.subject)
            for row in session.execute(_SENT, values)
        ]
    order = list(Kind)
    return sorted([*acts, *decided, *sent], key=lambda each: (each.at, order.index(each.kind)))


def _words(facts: dict[str, Any]) -> str:
    return ", ".join(f"{name.replace('_', ' ')}: {value}" for name, value in facts.items())


def _until(row: Any) -> str:
    until = row.evidence.get("until")
    return f"until {until[:16].replace('T', ' ')}" if until else ""
