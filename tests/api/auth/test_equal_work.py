"""What an answer costs must not tell whether an account exists."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from starlette.testclient import TestClient

from studypack.core.business_settings import get_business_settings
from tests.support import mail


@pytest.mark.parametrize("path", ["/api/auth/password/forgot", "/api/auth/verify-email/resend"])
def test_a_known_and_an_unknown_address_cost_the_same_statements(
    path: str, api: TestClient, learner: Any, statements: Callable[[], list[str]]
) -> None:
    get_business_settings(None)
    statements()
    unknown = api.post(path, json={"email": "nobody@example.com"})
    for_unknown = statements()
    known = api.post(path, json={"email": learner.email})
    for_known = statements()
    assert (known.status_code, known.json()) == (unknown.status_code, unknown.json())
    assert for_known == for_unknown


def test_a_verified_address_gets_no_further_verification_link(
    api: TestClient, learner: Any
) -> None:
    token = mail.token(learner.email, "VERIFY_EMAIL")
    assert api.post("/api/auth/verify-email", json={"token": token}).status_code == 200
    before = len(mail.queued(learner.email, "VERIFY_EMAIL"))
    api.post("/api/auth/verify-email/resend", json={"email": learner.email})
    assert len(mail.queued(learner.email, "VERIFY_EMAIL")) == before
