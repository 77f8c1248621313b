"""How many statements each route of an account costs, the authenticating one among them: one more
is one more round trip for everybody.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import pytest
from starlette.testclient import TestClient

from local import openapi
from local import template as sam
from studypack.accounts import one_time_codes
from studypack.core.business_settings import get_business_settings
from tests.api.admin.test_authors_budgets import CONTENT
from tests.support import mail
from tests.support.accounts import browser, execute, log_in, on_another_device, value
from tests.support.oauth import choose, come_back, depart, depart_to_link, link
from tests.support.people import PASSWORD, Person

NEW = "granite harbour violin"

BUDGETS = {
    "POST /api/auth/login": 5,
    "POST /api/auth/login/totp": 10,
    "POST /api/auth/logout": 2,
    "DELETE /api/auth/sessions": 4,
    "DELETE /api/auth/sessions/{session_id}": 2,
    "POST /api/auth/verify-email": 3,
    "POST /api/auth/password/change": 11,
    "POST /api/auth/password/reset": 9,
    "GET /api/auth/oauth/{provider}/start": 2,
    "POST /api/auth/oauth/{provider}/link": 6,
    "GET /api/auth/oauth/{provider}/callback (sign in)": 6,
    "GET /api/auth/oauth/{provider}/callback (sign up)": 13,
    "GET /api/auth/oauth/{provider}/callback (link)": 8,
    "PATCH /api/users/me": 4,
    "DELETE /api/users/me": 13,
    "PATCH /api/users/me/profile": 3,
    "POST /api/users/me/onboarding": 4,
    "POST /api/users/me/email": 10,
    "GET /api/users/me/oauth-accounts": 2,
    "DELETE /api/users/me/oauth-accounts/{provider}": 6,
    "GET /api/users/me/totp": 2,
    "POST /api/users/me/totp": 6,
    "DELETE /api/users/me/totp": 14,
    "POST /api/users/me/totp/confirm": 11,
    "POST /api/users/me/totp/recovery-codes": 8,
    "GET /api/admin/users/{user_id}": 2,
    "PATCH /api/admin/users/{user_id}": 7,
    "POST /api/admin/users/{user_id}/sessions/revoke": 5,
    "PUT /api/admin/users/{user_id}/accommodation": 5,
    "PATCH /api/admin/users/{user_id}/role": 7,
}

ELSEWHERE = {
    "POST /api/auth/signup": "tests/api/auth/test_signup.py",
    "POST /api/auth/verify-email/resend": "tests/api/auth/test_equal_work.py",
    "POST /api/auth/password/forgot": "tests/api/auth/test_equal_work.py",
    "GET /api/auth/sessions": "tests/api/auth/test_sessions.py",
    "GET /api/users/me": "tests/api/users/test_me.py",
    "GET /api/users/me/profile": "tests/api/users/test_me.py",
    "GET /api/admin/users": "tests/api/admin/test_users.py",
    "GET /api/admin/audit-log": "tests/api/admin/test_audit_log.py",
    **dict.fromkeys(
        (
            "GET /api/users/me/notification-preferences",
            "PATCH /api/users/me/notification-preferences",
        ),
        "tests/api/users/test_notification_preferences.py",
    ),
    **dict.fromkeys(
        (
            "POST /api/admin/products",
            "POST /api/admin/products/sync",
            "GET /api/admin/products/{product_id}",
            "PATCH /api/admin/products/{product_id}",
            "DELETE /api/admin/products/{product_id}",
            "GET /api/admin/promotion-codes",
            "POST /api/admin/promotion-codes",
            "PATCH /api/admin/promotion-codes/{code_id}",
            "POST /api/admin/stripe-events/{event_id}/replay",
            "POST /api/admin/users/{user_id}/refunds",
        ),
        "tests/api/admin/test_money_budgets.py",
    ),
    "GET /api/admin/products": "tests/api/admin/test_products.py",
    "GET /api/admin/stripe-events": "tests/api/admin/test_stripe_events.py",
    "GET /api/admin/users/{user_id}/purchases": "tests/api/admin/test_refunds.py",
    "GET /api/admin/emails": "tests/api/admin/test_emails.py",
    "GET /api/admin/emails/explain": "tests/api/admin/test_emails.py",
    "POST /api/admin/emails/{email_id}/retry": "tests/api/admin/test_emails.py",
    "GET /api/admin/emails/suppressions": "tests/api/admin/test_suppressions.py",
    "DELETE /api/admin/emails/suppressions/{suppression_id}": (
        "tests/api/admin/test_suppressions.py"
    ),
    "GET /api/admin/broadcasts": "tests/api/admin/test_emails.py",
    "POST /api/admin/broadcasts": "tests/api/admin/test_emails.py",
    "GET /api/admin/broadcasts/{broadcast_id}": "tests/api/admin/test_emails.py",
    "PATCH /api/admin/broadcasts/{broadcast_id}": "tests/api/admin/test_emails.py",
    "POST /api/admin/broadcasts/{broadcast_id}/preview": "tests/api/admin/test_emails.py",
    "POST /api/admin/broadcasts/{broadcast_id}/start": "tests/api/admin/test_emails.py",
    "POST /api/admin/broadcasts/{broadcast_id}/stop": "tests/api/admin/test_emails.py",
}
"""Routes whose statements are counted beside their other tests."""


@dataclass
class Counted:
    """Counts the statements of one request at a time against its budget."""

    statements: Callable[[], list[str]]

    def __call__(self, name: str, status: int, send: Callable[[], Any]) -> Any:
        get_business_settings(None)  # read once a minute by whoever comes first
        self.statements()
        answer = send()
        sent = self.statements()
        assert answer.status_code == status, answer.text
        # Exactly: a budget with room would hide the next statement.
        assert len(sent) == BUDGETS[name], f"{name}: {len(sent)}\n" + "\n".join(sent)
        return answer


@pytest.fixture
def costs(statements: Callable[[], list[str]]) -> Counted:
    return Counted(statements)


def _secret(person: Person) -> bytes:
    """Begin to enrol; what the app then has."""
    begun = person.post("/api/users/me/totp", json={"password": PASSWORD})
    return base64.b32decode(begun.json()["secret"])


def _code(secret: bytes, later: int = 0) -> str:
    return one_time_codes.code_of(secret, one_time_codes.step_at(datetime.now(UTC)) + later)


@pytest.fixture
def with_codes(learner: Person) -> tuple[Person, bytes]:
    """Somebody with an authenticator app, and its secret."""
    secret = _secret(learner)
    answer = learner.post("/api/users/me/totp/confirm", json={"code": _code(secret, -1)})
    learner.api.cookies.clear()
    return replace(learner, token=answer.json()["token"]), secret


def _linked(app: Any, provider: Any) -> TestClient:
    """A browser signed in with Google, whose account that made."""
    page = browser(app)
    assert come_back(page, choose(depart(page), "grace")).status_code == 303
    return page


def test_every_route_of_accounts_and_the_back_office_has_a_budget() -> None:
    # Of content, what is read costs as tests/api/admin/test_authors_budgets.py says; what few
    # authors write seldom has no budget.
    prefixes = ("/api/auth/", "/api/users/", "/api/admin/")
    content = tuple(f"/api/admin/{kind}" for kind in (*CONTENT, "quiz-attempts"))
    routes = {
        f"{method.upper()} {path}"
        for path, item in openapi.document(sam.read())["paths"].items()
        for method in item
        if path.startswith(prefixes) and not path.startswith(content)
    }
    counted = {name.partition(" (")[0] for name in BUDGETS}

    assert routes == counted | ELSEWHERE.keys()
    assert counted & ELSEWHERE.keys() == set()
    for path in ELSEWHERE.values():
        assert "statements()" in (sam.ROOT / path).read_text(encoding="utf-8"), path


# --- Signing in and out -----------------------------------------------------------------------


def test_signing_in(api: TestClient, learner: Person, costs: Counted) -> None:
    costs("POST /api/auth/login", 200, lambda: log_in(api, learner.email))


def test_signing_in_with_a_code(app: Any, with_codes: tuple[Person, bytes], costs: Counted) -> None:
    person, secret = with_codes
    page = browser(app)
    challenge = log_in(page, person.email).json()["challenge"]
    body = {"challenge": challenge, "code": _code(secret)}
    costs("POST /api/auth/login/totp", 200, lambda: page.post("/api/auth/login/totp", json=body))


def test_signing_out(learner: Person, costs: Counted) -> None:
    costs("POST /api/auth/logout", 204, lambda: learner.post("/api/auth/logout"))


@pytest.mark.parametrize("devices", [1, 5])
def test_signing_out_everywhere_however_many_devices_there_are(
    learner: Person, costs: Counted, devices: int
) -> None:
    for _ in range(devices):
        on_another_device(learner)
    costs("DELETE /api/auth/sessions", 204, lambda: learner.delete("/api/auth/sessions"))


def test_signing_one_device_out(learner: Person, costs: Counted) -> None:
    device = on_another_device(learner)
    other = value("SELECT id FROM auth.sessions ORDER BY id DESC LIMIT 1")
    costs(
        "DELETE /api/auth/sessions/{session_id}",
        204,
        lambda: learner.delete(f"/api/auth/sessions/{other}"),
    )
    assert device.get("/api/users/me").status_code == 401


# --- Address and password ---------------------------------------------------------------------


def test_verifying_an_address(api: TestClient, learner: Person, costs: Counted) -> None:
    body = {"token": mail.token(learner.email, "VERIFY_EMAIL")}
    costs("POST /api/auth/verify-email", 200, lambda: api.post("/api/auth/verify-email", json=body))


@pytest.mark.parametrize("devices", [1, 5])
def test_changing_the_password(learner: Person, costs: Counted, devices: int) -> None:
    for _ in range(devices):
        on_another_device(learner)
    body = {"current_password": PASSWORD, "new_password": NEW}
    costs(
        "POST /api/auth/password/change",
        200,
        lambda: learner.post("/api/auth/password/change", json=body),
    )


def test_setting_a_new_password_by_a_mailed_link(
    api: TestClient, learner: Person, costs: Counted
) -> None:
    api.post("/api/auth/password/forgot", json={"email": learner.email})
    body = {"token": mail.token(learner.email, "RESET_PASSWORD"), "password": NEW}
    costs(
        "POST /api/auth/password/reset",
        204,
        lambda: api.post("/api/auth/password/reset", json=body),
    )


def test_asking_for_another_address(learner: Person, costs: Counted) -> None:
    body = {"email": "new@example.com", "password": PASSWORD}
    costs("POST /api/users/me/email", 202, lambda: learner.post("/api/users/me/email", json=body))


# --- Oneself ----------------------------------------------------------------------------------


def test_changing_oneself(learner: Person, costs: Counted) -> None:
    body = {"first_name": "Noémi", "preferences": {"theme": "dark"}}
    costs("PATCH /api/users/me", 200, lambda: learner.patch("/api/users/me", json=body))


def test_changing_the_profile(learner: Person, costs: Counted) -> None:
    body = {"bio": "x", "socials": {"github": "x"}, "weekly_study_minutes": 60}
    costs(
        "PATCH /api/users/me/profile",
        200,
        lambda: learner.patch("/api/users/me/profile", json=body),
    )


def test_onboarding(learner: Person, costs: Counted) -> None:
    body = {"user_type": "SOLO_BUILDER", "experience_level": "BEGINNER"}
    costs(
        "POST /api/users/me/onboarding",
        200,
        lambda: learner.post("/api/users/me/onboarding", json=body),
    )


@pytest.mark.parametrize("devices", [0, 5])
def test_leaving(learner: Person, costs: Counted, devices: int) -> None:
    for _ in range(devices):
        on_another_device(learner)
    costs(
        "DELETE /api/users/me",
        204,
        lambda: learner.request("DELETE", "/api/users/me", json={"password": PASSWORD}),
    )


# --- One-time codes ---------------------------------------------------------------------------


def test_looking_at_ones_codes(learner: Person, costs: Counted) -> None:
    costs("GET /api/users/me/totp", 200, lambda: learner.get("/api/users/me/totp"))


def test_enrolling_for_codes(learner: Person, costs: Counted) -> None:
    body = {"password": PASSWORD}
    costs("POST /api/users/me/totp", 201, lambda: learner.post("/api/users/me/totp", json=body))


def test_confirming_an_app(learner: Person, costs: Counted) -> None:
    body = {"code": _code(_secret(learner))}
    costs(
        "POST /api/users/me/totp/confirm",
        200,
        lambda: learner.post("/api/users/me/totp/confirm", json=body),
    )


def test_renewing_the_recovery_codes(with_codes: tuple[Person, bytes], costs: Counted) -> None:
    person, secret = with_codes
    body = {"code": _code(secret)}
    costs(
        "POST /api/users/me/totp/recovery-codes",
        200,
        lambda: person.post("/api/users/me/totp/recovery-codes", json=body),
    )


def test_turning_codes_off(with_codes: tuple[Person, bytes], costs: Counted) -> None:
    person, secret = with_codes
    body = {"password": PASSWORD, "code": _code(secret)}
    costs(
        "DELETE /api/users/me/totp",
        200,
        lambda: person.request("DELETE", "/api/users/me/totp", json=body),
    )


# --- Providers --------------------------------------------------------------------------------


@pytest.mark.usefixtures("provider")
def test_setting_out_to_a_provider(app: Any, costs: Counted) -> None:
    page, path = browser(app), "/api/auth/oauth/google/start"
    costs(
        "GET /api/auth/oauth/{provider}/start",
        303,
        lambda: page.get(path, follow_redirects=False),
    )


@pytest.mark.usefixtures("provider")
def test_signing_up_with_a_provider_and_then_in(app: Any, costs: Counted) -> None:
    for kind in ("sign up", "sign in"):
        page = browser(app)
        back = choose(depart(page), "grace")
        costs(
            f"GET /api/auth/oauth/{{provider}}/callback ({kind})",
            303,
            lambda page=page, back=back: come_back(page, back),
        )


@pytest.mark.usefixtures("provider")
def test_linking_a_provider_and_unlinking_it(app: Any, learner: Person, costs: Counted) -> None:
    execute("UPDATE auth.users SET email_verified_at = now()")
    page = browser(app)
    assert log_in(page, learner.email).status_code == 200
    path = "/api/auth/oauth/google/link"
    costs(
        "POST /api/auth/oauth/{provider}/link",
        200,
        lambda: page.post(path, json={"password": PASSWORD}),
    )
    back = choose(depart_to_link(page), "grace")
    costs("GET /api/auth/oauth/{provider}/callback (link)", 303, lambda: come_back(page, back))
    assert link(page, "grace", "github").status_code == 303
    costs("GET /api/users/me/oauth-accounts", 200, lambda: page.get("/api/users/me/oauth-accounts"))
    costs(
        "DELETE /api/users/me/oauth-accounts/{provider}",
        204,
        lambda: page.delete("/api/users/me/oauth-accounts/google"),
    )


# --- The back office --------------------------------------------------------------------------


def test_what_support_does_with_an_account(
    support: Person, learner: Person, costs: Counted
) -> None:
    path = f"/api/admin/users/{learner.id}"
    grant = {"time_factor": "1.5", "reason": "certificate"}
    for _ in range(2):
        on_another_device(learner)
    costs("GET /api/admin/users/{user_id}", 200, lambda: support.get(path))
    costs(
        "PUT /api/admin/users/{user_id}/accommodation",
        200,
        lambda: support.put(f"{path}/accommodation", json=grant),
    )
    costs(
        "POST /api/admin/users/{user_id}/sessions/revoke",
        204,
        lambda: support.post(f"{path}/sessions/revoke"),
    )
    costs(
        "PATCH /api/admin/users/{user_id}",
        200,
        lambda: support.patch(path, json={"is_active": False}),
    )


def test_giving_a_role(admin: Person, learner: Person, costs: Counted) -> None:
    costs(
        "PATCH /api/admin/users/{user_id}/role",
        200,
        lambda: admin.patch(f"/api/admin/users/{learner.id}/role", json={"role": "SUPPORT"}),
    )
