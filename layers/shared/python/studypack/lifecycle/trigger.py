"""The shape of a trigger: occasions come up, each is decided once, and the decision and the mail
are one statement.

A trigger is a SELECT of occasions that have come up by `:now`, with the columns

| column | what |
|---|---|
| user_id, template, occasion | together they name it; the queue's dedupe key is template:occasion |
| due_at | when it came up |
| reason | NULL: the mail is to go; else the stable code of why not |
| data | what the template prints (notifications/catalogue.py says what it needs) |
| evidence | ids and times that the decision rests on |

To what the trigger itself finds comes what holds for every mail (lifecycle/refusals.py). Quiet
hours and the weekly limit are not asked here: the sender does, when the mail's turn comes.

What rings the bell beside its mail (notifications/bell.py) rings it here too, also where the mail
itself is withheld because none reaches its reader: then the bell is all that does.

Safe twice and side by side: who inserts the decision inserts the mail, and of two who try, the
second waits on the unique key and then inserts neither. Both insert in one order, so that they
cannot wait for each other in a circle.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from uuid import UUID

from sqlalchemy import TextClause, text
from sqlalchemy.orm import Session

from studypack.lifecycle.moment import Moment, common_values, run
from studypack.lifecycle.refusals import KINDS, REFUSAL
from studypack.notifications.bell import RINGING, notice_of
from studypack.notifications.inbox import notify
from studypack.notifications.models import EmailTemplate

BATCH = 2000
_RINGS_WITHOUT_A_MAIL = ("bounced", "category_off")


Values = Mapping[str, Any]


def _no_values(_moment: Moment) -> Values:
    return {}


@dataclass(frozen=True)
class Decided:
    """What one batch came to."""

    decisions: int
    mails: int


@dataclass(frozen=True)
class Trigger:
    """One family of occasions."""

    rule: str
    """Its name in decisions."""
    occasions: str
    """The SELECT; may use :now, :lookback_days, :grace_days, :courses_are_free and `values`."""
    values: Callable[[Moment], Values | None] = _no_values
    """Further parameters; None: nothing can come up now, and the database is not asked."""
    common: str = ""
    """Common table expressions that the SELECT reads, each followed by a comma."""
    is_final: bool = True
    """A mail withheld stays withheld. False: it goes after all when the reason goes in time."""

    @cached_property
    def statement(self) -> TextClause:
        """The whole decision."""
        settled = _SETTLED[self.is_final]
        return text(_DECIDE.format(common=self.common, occasions=self.occasions, settled=settled))

    def decide(self, session: Session, moment: Moment, *, size: int = BATCH) -> Decided:
        """Decide at most `size` occasions in the caller's transaction."""
        further = self.values(moment)
        if further is None:
            return Decided(0, 0)
        values = {
            **common_values(moment),
            "rule": self.rule,
            "size": size,
            "ringing": json.dumps(sorted(RINGING)),
            **further,
        }
        row = run(session, self.statement, values).one()
        _ring(session, row.ringing or ())
        return Decided(row.decisions, row.mails)


def _ring(session: Session, decided: Iterable[Mapping[str, Any]]) -> None:
    notices = [
        notice_of(
            EmailTemplate(each["template"]),
            UUID(each["user_id"]),
            occasion=each["occasion"],
            facts=each["data"],
        )
        for each in decided
    ]
    notify(session, [each for each in notices if each is not None])


_SETTLED = {
    True: "d.verdict IN ('SEND', 'WITHHOLD')",
    False: "(d.verdict = 'SEND' OR d.verdict = 'WITHHOLD' AND d.reason = r.withheld)",
}

# OFFSET 0: each occasion looks its own decisions up by the unique key. As a join, which PostgreSQL
# would make of it, the decisions of more than a year were read for the occasions of two weeks.
_DECIDE = f"""
    WITH kinds AS MATERIALIZED ({KINDS}),
    {{common}}
    ruled AS (
        SELECT o.*, k.is_urgent,
               coalesce(o.reason, {REFUSAL},
                        CASE WHEN NOT o.data ?& k.needs THEN 'facts_missing' END) AS withheld
          FROM ({{occasions}}) o
          JOIN auth.users u ON u.id = o.user_id
          JOIN kinds k ON k.template = o.template),
    due AS MATERIALIZED (
        SELECT * FROM ruled r
         WHERE NOT EXISTS (SELECT FROM notifications.email_decisions d
                            WHERE d.user_id = r.user_id AND d.template = r.template
                              AND d.occasion = r.occasion AND {{settled}} OFFSET 0)
         ORDER BY r.due_at LIMIT :size),
    decided AS (
        INSERT INTO notifications.email_decisions
               (id, user_id, template, occasion, verdict, rule, reason, evidence, decided_at)
        SELECT public.uuid7(:now), user_id, template, occasion,
               CASE WHEN withheld IS NULL THEN 'SEND' ELSE 'WITHHOLD' END, :rule,
               coalesce(withheld, 'due'),
               jsonb_strip_nulls(evidence || jsonb_build_object('due_at', due_at)), :now
          FROM due ORDER BY user_id, template, occasion
            ON CONFLICT DO NOTHING
        RETURNING user_id, template, occasion, verdict, reason),
    queued AS (
        INSERT INTO notifications.email_queue
               (id, user_id, template, data, dedupe_key, is_urgent, scheduled_for, created_at)
        SELECT public.uuid7(:now), due.user_id, due.template, due.data,
               due.template || ':' || due.occasion, due.is_urgent, :now, :now
          FROM due JOIN decided USING (user_id, template, occasion)
         WHERE decided.verdict = 'SEND'
         ORDER BY due.user_id, due.template, due.occasion
            ON CONFLICT (dedupe_key) DO NOTHING
        RETURNING 1)
    SELECT (SELECT count(*) FROM decided) AS decisions, (SELECT count(*) FROM queued) AS mails,
           (SELECT jsonb_agg(jsonb_build_object('user_id', due.user_id, 'template', due.template,
                                                'occasion', due.occasion, 'data', due.data))
              FROM due JOIN decided USING (user_id, template, occasion)
             WHERE due.template IN (SELECT jsonb_array_elements_text(CAST(:ringing AS jsonb)))
               AND (decided.verdict = 'SEND' OR decided.reason IN {_RINGS_WITHOUT_A_MAIL})
           ) AS ringing
    """  # noqa: S608 (our own text)
