"""What accounts enqueue is enough to make each mail of."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import select

from studypack.core.business_settings import BusinessSettings
from studypack.emails.render import context, render
from studypack.notifications.catalogue import missing_facts
from studypack.notifications.models import EmailTemplate, QueuedEmail
from tests.support.people import PASSWORD


def test_every_mail_of_an_account_has_its_facts(api: Any, learner: Any, session: Any) -> None:
    api.post("/api/auth/password/forgot", json={"email": learner.email})
    change = {"email": f"new-{learner.email}", "password": PASSWORD}
    assert learner.post("/api/users/me/email", json=change).status_code == 202
    new = {"current_password": PASSWORD, "new_password": "amber harbour violin"}
    assert learner.post("/api/auth/password/change", json=new).status_code == 200

    rows = session.scalars(select(QueuedEmail).where(QueuedEmail.user_id == learner.id)).all()

    assert {row.template for row in rows} >= {
        EmailTemplate.VERIFY_EMAIL,
        EmailTemplate.RESET_PASSWORD,
        EmailTemplate.PASSWORD_CHANGED,
        EmailTemplate.CONFIRM_EMAIL_CHANGE,
    }
    for row in rows:
        assert not missing_facts(row.template, row.data)
        common = context(
            email=row.to_address or learner.email,
            first_name=None,
            timezone="UTC",
            occurred_at=datetime(2026, 3, 3, tzinfo=UTC),
            business=BusinessSettings(),
        )
        mail = render(row.template, {**row.data, **common})
        if "link" in row.data:
            assert row.data["link"] in mail.text
