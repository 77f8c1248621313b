"""The SQL of refusals says what notifications/policy.py says, in every combination."""

from __future__ import annotations

import json
from datetime import timedelta
from itertools import product
from typing import Any

import pytest
from sqlalchemy import text

from studypack.core.database import transaction
from studypack.core.ids import uuid7
from studypack.lifecycle.refusals import KINDS, REFUSAL, kinds
from studypack.notifications.catalogue import CATALOGUE
from studypack.notifications.models import Category, EmailTemplate, SuppressionReason, Verdict
from studypack.notifications.policy import Limits, Recipient, rule
from tests.support.mail_lives import NOW

pytestmark = pytest.mark.usefixtures("database_url")

NO_LIMITS = Limits(quiet_from=0, quiet_until=0, per_week=50)
OFF = [None, "preference", "unsubscribe", "preference of another", "lifted"]


def test_the_statement_and_the_policy_refuse_the_same_for_the_same_reason() -> None:
    cases = list(
        product(
            [True, False],  # open
            [True, False],  # verified
            [True, False],  # opted out
            [None, *(SuppressionReason.HARD_BOUNCE, SuppressionReason.COMPLAINT)],
            OFF,
        )
    )
    people: dict[Any, Recipient] = {}
    with transaction() as session:
        for is_open, verified, opted_out, suppressed, off in cases:
            id = uuid7(NOW)
            session.execute(
                text(
                    "INSERT INTO auth.users (id, email, email_verified_at, is_active,"
                    " marketing_opt_out) VALUES (:id, :email, :at, :active, :out)"
                ),
                {
                    "id": id,
                    "email": f"{id.hex}@Example.com",
                    "at": NOW if verified else None,
                    "active": is_open,
                    "out": opted_out,
                },
            )
            marks = [(suppressed.value, None, None)] if suppressed else []
            if off in {"unsubscribe", "lifted"}:
                marks.append(("UNSUBSCRIBE", "LEARNING", NOW if off == "lifted" else None))
            for reason, category, lifted in marks:
                session.execute(
                    text(
                        "INSERT INTO notifications.email_suppressions"
                        " (id, address_hash, reason, category, lifted_at)"
                        " VALUES (gen_random_uuid(), sha256(convert_to(:email, 'UTF8')), :reason,"
                        " :category, :lifted)"
                    ),
                    {
                        "email": f"{id.hex}@example.com",
                        "reason": reason,
                        "category": category,
                        "lifted": lifted,
                    },
                )
            if off and off.startswith("preference"):
                category = "LEARNING" if off == "preference" else "SOCIAL"
                session.execute(
                    text(
                        "INSERT INTO notifications.notification_preferences"
                        " (id, user_id, category, email)"
                        " VALUES (gen_random_uuid(), :id, :category, false)"
                    ),
                    {"id": id, "category": category},
                )
            switched_off = {
                "preference": {Category.LEARNING},
                "unsubscribe": {Category.LEARNING},
                "preference of another": {Category.SOCIAL},
            }.get(off or "", set())
            people[id] = Recipient(
                is_open=is_open,
                is_verified=verified,
                timezone="UTC",
                marketing_opt_out=opted_out,
                switched_off=frozenset(switched_off),
                suppressed=frozenset([suppressed] if suppressed else []),
                marketing_sent=[],
            )
        found = session.execute(
            text(
                f"WITH kinds AS ({KINDS}) SELECT u.id, k.template, {REFUSAL} AS reason"
                " FROM auth.users u CROSS JOIN kinds k WHERE u.id = ANY(:ids)"
            ),
            {"kinds": json.dumps(kinds()), "ids": list(people)},
        ).all()
    assert len(found) == len(cases) * len(EmailTemplate)
    for id, template, reason in found:
        ruling = rule(
            CATALOGUE[EmailTemplate(template)], people[id], NO_LIMITS, now=NOW + timedelta(days=1)
        )
        expected = ruling.reason if ruling.verdict is Verdict.CANCEL else None
        assert reason == expected, (template, people[id])
