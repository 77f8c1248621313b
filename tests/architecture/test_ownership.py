"""Nobody reads or changes another's row: every route x who calls it x somebody else's id.

Routes come from the OpenAPI document, so a new one fails here until it is said who may call it and
whose rows its path names.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import text

from local import openapi
from local import template as sam
from studypack.core.business_settings import forget_business_settings
from studypack.core.database import transaction
from studypack.courses import certificates
from tests.support import authoring, bank, exams, learning, ledger, quizzes
from tests.support.billing import LocalStripe
from tests.support.inbox import tell
from tests.support.people import PASSWORD, Person
from tests.support.videos import LocalMux, an_asset

PUBLIC, USER, EXAMS, SUPPORT, ADMIN = "public", "user", "feature:exams", "support", "admin"
MAY_CALL = {SUPPORT: {"SUPPORT", "ADMIN"}, ADMIN: {"ADMIN"}}
"""Of the back office."""

WHO_MAY_CALL = {
    "POST /api/auth/signup": PUBLIC,
    "POST /api/auth/login": PUBLIC,
    "POST /api/auth/login/totp": PUBLIC,
    "GET /api/auth/oauth/{provider}/start": PUBLIC,
    "GET /api/auth/oauth/{provider}/callback": PUBLIC,
    "POST /api/auth/verify-email": PUBLIC,
    "POST /api/auth/verify-email/resend": PUBLIC,
    "POST /api/auth/password/forgot": PUBLIC,
    "POST /api/auth/password/reset": PUBLIC,
    "GET /api/config": PUBLIC,
    "GET /api/health/auth": PUBLIC,
    "GET /api/health/users": PUBLIC,
    "GET /api/health/exams": PUBLIC,
    "GET /api/health/courses": PUBLIC,
    "GET /api/health/quizzes": PUBLIC,
    "GET /api/health/billing": PUBLIC,
    "GET /api/health/community": PUBLIC,
    "GET /api/health/admin": PUBLIC,
    # Whoever has the mail: its token says whose and what.
    "GET /api/email/unsubscribe": PUBLIC,
    "POST /api/email/unsubscribe": PUBLIC,
    "GET /api/exams/receipt-keys": PUBLIC,
    "GET /api/products": PUBLIC,
    "POST /api/auth/oauth/{provider}/link": USER,
    "POST /api/auth/logout": USER,
    "POST /api/auth/password/change": USER,
    "GET /api/auth/sessions": USER,
    "DELETE /api/auth/sessions": USER,
    "DELETE /api/auth/sessions/{session_id}": USER,
    "GET /api/users/me": USER,
    "PATCH /api/users/me": USER,
    "DELETE /api/users/me": USER,
    "POST /api/users/me/email": USER,
    "POST /api/users/me/onboarding": USER,
    "GET /api/users/me/profile": USER,
    "PATCH /api/users/me/profile": USER,
    "GET /api/users/me/oauth-accounts": USER,
    "DELETE /api/users/me/oauth-accounts/{provider}": USER,
    "GET /api/users/me/totp": USER,
    "POST /api/users/me/totp": USER,
    "DELETE /api/users/me/totp": USER,
    "POST /api/users/me/totp/confirm": USER,
    "POST /api/users/me/totp/recovery-codes": USER,
    "GET /api/users/me/notification-preferences": USER,
    "PATCH /api/users/me/notification-preferences": USER,
    "GET /api/notifications": USER,
    "POST /api/notifications/read-all": USER,
    "POST /api/notifications/{notification_id}/read": USER,
    # What is under way or done stays its owner's when access ended: only new exams need it.
    "GET /api/exams/templates": EXAMS,
    "POST /api/exams/sessions": EXAMS,
    "GET /api/exams/sessions": USER,
    "GET /api/exams/sessions/{session_id}": USER,
    "PATCH /api/exams/sessions/{session_id}": USER,
    "POST /api/exams/sessions/{session_id}/responses": USER,
    "POST /api/exams/sessions/{session_id}/finalize": USER,
    "GET /api/exams/sessions/{session_id}/review": USER,
    "GET /api/exams/sessions/{session_id}/receipt": USER,
    "GET /api/courses": PUBLIC,
    "GET /api/courses/{slug}": PUBLIC,
    # Whether a lesson is open depends on itself and its course: 402 is the service's answer.
    "POST /api/courses/{slug}/enrollment": USER,
    "PATCH /api/courses/{slug}/enrollment": USER,
    "GET /api/courses/{slug}/progress": USER,
    "GET /api/courses/{slug}/next-lesson": USER,
    "GET /api/lessons/{lesson_id}": USER,
    "POST /api/lessons/{lesson_id}/progress": USER,
    "GET /api/lessons/{lesson_id}/notes": USER,
    "POST /api/lessons/{lesson_id}/notes": USER,
    "PATCH /api/notes/{note_id}": USER,
    "DELETE /api/notes/{note_id}": USER,
    # Whether a quiz is open depends on its course and module: 402 is the service's answer.
    "GET /api/quizzes": USER,
    "GET /api/quizzes/{quiz_id}": USER,
    "POST /api/quizzes/{quiz_id}/attempts": USER,
    "GET /api/quizzes/{quiz_id}/attempts": USER,
    "GET /api/quiz-attempts/{attempt_id}": USER,
    "PUT /api/quiz-attempts/{attempt_id}/answers/{question_id}": USER,
    "POST /api/quiz-attempts/{attempt_id}/submit": USER,
    "GET /api/quiz-attempts/{attempt_id}/analysis": USER,
    "GET /api/billing/subscription": USER,
    "POST /api/billing/subscription/cancel": USER,
    "POST /api/billing/subscription/resume": USER,
    "POST /api/billing/subscription/refund": USER,
    "POST /api/billing/subscription/change-plan": USER,
    "POST /api/billing/subscription/change-plan/preview": USER,
    "GET /api/billing/seats": USER,
    "POST /api/billing/seats": USER,
    "POST /api/billing/seats/accept": USER,
    "DELETE /api/billing/seats/{seat_id}": USER,
    "GET /api/billing/payment-methods": USER,
    "PUT /api/billing/payment-methods/{method_id}/default": USER,
    "DELETE /api/billing/payment-methods/{method_id}": USER,
    "POST /api/billing/portal-session": USER,
    "GET /api/billing/details": USER,
    "PATCH /api/billing/details": USER,
    "GET /api/billing/invoices": USER,
    "GET /api/billing/invoices/{invoice_id}/pdf": USER,
    "GET /api/billing/credit-notes/{credit_note_id}/pdf": USER,
    "POST /api/purchases/checkout-session": USER,
    "GET /api/purchases": USER,
    "GET /api/purchases/entitlements/explain": USER,
    "GET /api/purchases/entitlements": USER,
    "GET /api/purchases/{purchase_id}": USER,
    "POST /api/purchases/{purchase_id}/refund": USER,
    "GET /api/billing/transactions": USER,
    "GET /api/billing/transactions.csv": USER,
    "GET /api/admin/users": SUPPORT,
    "GET /api/admin/users/{user_id}/purchases": SUPPORT,
    "POST /api/admin/users/{user_id}/refunds": SUPPORT,
    "GET /api/admin/products": ADMIN,
    "POST /api/admin/products": ADMIN,
    "POST /api/admin/products/sync": ADMIN,
    "GET /api/admin/products/{product_id}": ADMIN,
    "PATCH /api/admin/products/{product_id}": ADMIN,
    "DELETE /api/admin/products/{product_id}": ADMIN,
    "GET /api/admin/promotion-codes": ADMIN,
    "POST /api/admin/promotion-codes": ADMIN,
    "PATCH /api/admin/promotion-codes/{code_id}": ADMIN,
    "GET /api/admin/users/{user_id}": SUPPORT,
    "PATCH /api/admin/users/{user_id}": SUPPORT,
    "POST /api/admin/users/{user_id}/sessions/revoke": SUPPORT,
    "PUT /api/admin/users/{user_id}/accommodation": SUPPORT,
    "PATCH /api/admin/users/{user_id}/role": ADMIN,
    "GET /api/admin/audit-log": ADMIN,
    "GET /api/admin/stripe-events": ADMIN,
    "POST /api/admin/stripe-events/{event_id}/replay": ADMIN,
    "GET /api/admin/emails": ADMIN,
    "GET /api/admin/emails/explain": ADMIN,
    "POST /api/admin/emails/{email_id}/retry": ADMIN,
    "GET /api/admin/emails/suppressions": ADMIN,
    "DELETE /api/admin/emails/suppressions/{suppression_id}": ADMIN,
    "GET /api/admin/broadcasts": ADMIN,
    "POST /api/admin/broadcasts": ADMIN,
    "GET /api/admin/broadcasts/{broadcast_id}": ADMIN,
    "PATCH /api/admin/broadcasts/{broadcast_id}": ADMIN,
    "POST /api/admin/broadcasts/{broadcast_id}/preview": ADMIN,
    "POST /api/admin/broadcasts/{broadcast_id}/start": ADMIN,
    "POST /api/admin/broadcasts/{broadcast_id}/stop": ADMIN,
    # Whoever has a certificate's code may verify it.
    "GET /api/certificates/{code}": PUBLIC,
    "GET /api/certificates/{code}.pdf": PUBLIC,
    "GET /api/certificates": USER,
    "GET /api/search": USER,
    "GET /api/admin/certificates": ADMIN,
    "POST /api/admin/certificates/{certificate_id}/revoke": ADMIN,
    "POST /api/admin/certificates/{certificate_id}/reissue": ADMIN,
    "GET /api/admin/quizzes": ADMIN,
    "POST /api/admin/quizzes": ADMIN,
    "GET /api/admin/quizzes/{quiz_id}": ADMIN,
    "PATCH /api/admin/quizzes/{quiz_id}": ADMIN,
    "DELETE /api/admin/quizzes/{quiz_id}": ADMIN,
    "PUT /api/admin/quizzes/{quiz_id}/questions": ADMIN,
    "POST /api/admin/quizzes/{quiz_id}/publish": ADMIN,
    "POST /api/admin/quizzes/{quiz_id}/unpublish": ADMIN,
    "GET /api/admin/quiz-attempts/{attempt_id}/analysis": ADMIN,
    "POST /api/admin/quiz-attempts/{attempt_id}/analysis": ADMIN,
    "PATCH /api/admin/quiz-attempts/{attempt_id}/analysis": ADMIN,
    "GET /api/admin/courses": ADMIN,
    "POST /api/admin/courses": ADMIN,
    "POST /api/admin/courses/import": ADMIN,
    "GET /api/admin/courses/{slug}/export": ADMIN,
    "GET /api/admin/courses/{course_id}": ADMIN,
    "PATCH /api/admin/courses/{course_id}": ADMIN,
    "DELETE /api/admin/courses/{course_id}": ADMIN,
    "POST /api/admin/courses/{course_id}/publish": ADMIN,
    "POST /api/admin/courses/{course_id}/unpublish": ADMIN,
    "GET /api/admin/courses/{course_id}/prerequisites": ADMIN,
    "PUT /api/admin/courses/{course_id}/prerequisites": ADMIN,
    "GET /api/admin/courses/{course_id}/modules": ADMIN,
    "POST /api/admin/courses/{course_id}/modules": ADMIN,
    "GET /api/admin/modules/{module_id}": ADMIN,
    "PATCH /api/admin/modules/{module_id}": ADMIN,
    "DELETE /api/admin/modules/{module_id}": ADMIN,
    "POST /api/admin/modules/{module_id}/move": ADMIN,
    "POST /api/admin/modules/{module_id}/publish": ADMIN,
    "POST /api/admin/modules/{module_id}/unpublish": ADMIN,
    "GET /api/admin/modules/{module_id}/lessons": ADMIN,
    "POST /api/admin/modules/{module_id}/lessons": ADMIN,
    "GET /api/admin/lessons/{lesson_id}": ADMIN,
    "PATCH /api/admin/lessons/{lesson_id}": ADMIN,
    "DELETE /api/admin/lessons/{lesson_id}": ADMIN,
    "POST /api/admin/lessons/{lesson_id}/move": ADMIN,
    "POST /api/admin/lessons/{lesson_id}/publish": ADMIN,
    "POST /api/admin/lessons/{lesson_id}/unpublish": ADMIN,
    "POST /api/admin/lessons/{lesson_id}/video": ADMIN,
    "GET /api/admin/lessons/{lesson_id}/video": ADMIN,
    "DELETE /api/admin/lessons/{lesson_id}/video": ADMIN,
    "POST /api/admin/lessons/{lesson_id}/captions": ADMIN,
    "PUT /api/admin/lessons/{lesson_id}/transcript": ADMIN,
    "GET /api/admin/lessons/{lesson_id}/assets": ADMIN,
    "POST /api/admin/lessons/{lesson_id}/assets": ADMIN,
    "POST /api/admin/assets/{asset_id}/complete": ADMIN,
    "PATCH /api/admin/assets/{asset_id}": ADMIN,
    "DELETE /api/admin/assets/{asset_id}": ADMIN,
    "GET /api/admin/courses/{course_id}/topics": ADMIN,
    "POST /api/admin/courses/{course_id}/topics": ADMIN,
    "GET /api/admin/topics/{topic_id}": ADMIN,
    "PATCH /api/admin/topics/{topic_id}": ADMIN,
    "DELETE /api/admin/topics/{topic_id}": ADMIN,
    "POST /api/admin/topics/{topic_id}/move": ADMIN,
}
"""From the API's design; a role above may do what the one below may."""


EVENT = "evt_about_another"

OF_A_SUBSCRIBER = {
    f"POST /api/billing/subscription/{act}" for act in ("cancel", "resume", "refund")
}
"""They act on what the caller has: 404 for somebody who has none."""

THERE_ALREADY = {"POST /api/admin/quiz-attempts/{attempt_id}/analysis"}
"""They make what a row has one of, and what the rows here have: 409."""

SETS_RIGHTS = {"PATCH /api/admin/users/{user_id}": {"is_active", "access_override"}}
"""Bodies that set a right, below an admin's: nobody's own and no staff's
(tests/api/admin/test_account_changes.py).
"""


@dataclass
class Other:
    """Somebody whose rows the callers must not reach, with one of each kind."""

    person: Person
    login_sessions: list[str]
    running: dict[str, Any]
    submitted: dict[str, Any]
    money: ledger.Ledger
    mails: list[str]
    broadcasts: list[str]
    suppressions: list[str]
    """Nobody's in particular."""
    certificate: str
    attempts: list[str]
    """At quizzes: one under way, one submitted."""
    videos: LocalMux
    """Of nobody, as the next."""
    bucket: Any

    def ids_in(self, table: str) -> list[str]:
        """Of this person's rows of money."""
        return ids(table, "user_id = :user", user=self.person.id)

    @property
    def traces(self) -> set[str]:
        """What no stranger's answer may contain."""
        return {
            str(self.person.id),
            self.person.email,
            self.running["id"],
            self.submitted["id"],
            self.certificate,
            *self.attempts,
            *self.login_sessions,
            *self.money.all_ids,
            *self.ids_in("purchases"),
            *self.ids_in("transactions"),
        }


def ids(table: str, where: str = "true", **given: Any) -> list[str]:
    """The ids of rows of money."""
    found = bank.rows(f"SELECT id FROM payments.{table} WHERE {where} ORDER BY id", **given)
    return [str(row.id) for row in found]


def _seen(table: str, **changes: Any) -> list[dict[str, Any]]:
    """Changes of the newest row of a course's table, in the state that it is in."""
    newest = bank.value(
        f"SELECT updated_at FROM learning.{table} ORDER BY created_at DESC, id DESC LIMIT 1"
    )
    return [{"updated_at": newest.isoformat(), **changes}]


OTHERS_IDS: dict[tuple[str, str], Callable[[Other], list[str]]] = {
    ("/api/auth/sessions/", "session_id"): lambda other: other.login_sessions,
    ("/api/exams/sessions/", "session_id"): lambda other: [
        other.running["id"],
        other.submitted["id"],
    ],
    ("/api/billing/seats/", "seat_id"): lambda other: [
        other.money.seat_id,
        other.money.invitation_id,
    ],
    ("/api/billing/payment-methods/", "method_id"): lambda other: [other.money.method_id],
    ("/api/billing/invoices/", "invoice_id"): lambda other: [other.money.invoice_id],
    ("/api/billing/credit-notes/", "credit_note_id"): lambda other: [other.money.credit_note_id],
    ("/api/purchases/", "purchase_id"): lambda other: other.ids_in("purchases"),
    ("/api/admin/products/", "product_id"): lambda _other: ids("products", "name = 'A product'")[
        :1
    ],
    ("/api/admin/promotion-codes/", "code_id"): lambda _other: ids("promotion_codes"),
    ("/api/admin/users/", "user_id"): lambda other: [str(other.person.id)],
    ("/api/admin/stripe-events/", "event_id"): lambda _other: [EVENT],
    ("/api/notifications/", "notification_id"): lambda other: [
        each["id"] for each in other.person.get("/api/notifications").json()["items"]
    ],
    ("/api/admin/emails/", "email_id"): lambda other: other.mails,
    ("/api/admin/emails/suppressions/", "suppression_id"): lambda other: other.suppressions,
    ("/api/admin/broadcasts/", "broadcast_id"): lambda other: other.broadcasts,
    # The newest of its course: revoked at first, then the one that an admin issued in its place.
    ("/api/admin/certificates/", "certificate_id"): lambda other: [
        str(
            bank.value(
                "SELECT c.id FROM learning.certificates c"
                " JOIN learning.certificates first USING (user_id, course_id)"
                " WHERE first.id = :first ORDER BY c.id DESC LIMIT 1",
                first=other.certificate,
            )
        )
    ],
    # What is not published is there for nobody; what is published is everybody's.
    ("/api/quizzes/", "quiz_id"): lambda _other: [str(quizzes.a_quiz(published=False).id)],
    ("/api/quiz-attempts/", "attempt_id"): lambda other: other.attempts,
    ("/api/admin/quizzes/", "quiz_id"): lambda _other: [str(quizzes.a_quiz(published=False).id)],
    ("/api/admin/quiz-attempts/", "attempt_id"): lambda other: other.attempts[1:],
    # New ones at each call, since some of the operations end them; all of admins alone.
    ("/api/courses/", "slug"): lambda _other: [learning.a_course(1, published=False).slug],
    ("/api/lessons/", "lesson_id"): lambda _other: [
        str(learning.a_course(1, published=False).lessons[0][0])
    ],
    ("/api/notes/", "note_id"): lambda other: [
        str(row.id)
        for row in bank.rows(
            "SELECT id FROM learning.notes WHERE user_id = :user", user=other.person.id
        )
    ],
    ("/api/admin/courses/", "slug"): lambda _other: [learning.a_course(1, published=False).slug],
    ("/api/admin/courses/", "course_id"): lambda _other: [str(authoring.a_published_course()[0])],
    ("/api/admin/modules/", "module_id"): lambda _other: [str(authoring.a_published_course()[1])],
    ("/api/admin/lessons/", "lesson_id"): lambda other: [
        str(other.videos.show(authoring.a_published_course()[2]))
    ],
    ("/api/admin/assets/", "asset_id"): lambda other: [str(an_asset(other.bucket))],
    ("/api/admin/topics/", "topic_id"): lambda _other: [
        str(authoring.a_topic(authoring.a_course()))
    ],
}
"""Path prefix and parameter -> the rows of another that it can name."""

VALID_BODIES: dict[str, Callable[[Other], list[dict[str, Any]]]] = {
    "POST /api/admin/certificates/{certificate_id}/revoke": lambda _other: [
        {"reason": "a stranger's wish"}
    ],
    "PATCH /api/exams/sessions/{session_id}": lambda _other: [
        {"action": "pause"},
        {"action": "resume"},
        {"metadata": {"device": "a stranger's"}},
    ],
    "POST /api/exams/sessions/{session_id}/responses": lambda other: [
        {
            "question_id": item["question_id"],
            "revision": 99,
            "answer": exams.any_answer(item),
            "flagged": True,
        }
        for item in other.running["items"][:1]
    ],
    "PUT /api/quiz-attempts/{attempt_id}/answers/{question_id}": lambda _other: [
        {"response": None, "revision": 99}
    ],
    "PATCH /api/admin/quizzes/{quiz_id}": lambda _other: _seen("quizzes", title="Theirs"),
    "PUT /api/admin/quizzes/{quiz_id}/questions": lambda _other: _seen("quizzes", questions=[]),
    "POST /api/admin/quiz-attempts/{attempt_id}/analysis": lambda _other: [
        {"insights": "a stranger's"}
    ],
    "PATCH /api/admin/quiz-attempts/{attempt_id}/analysis": lambda _other: _seen(
        "quiz_analyses", insights="a stranger's"
    ),
    "PATCH /api/admin/users/{user_id}": lambda _other: [
        {"access_override": True},
        {"is_active": True},
    ],
    "PUT /api/admin/users/{user_id}/accommodation": lambda _other: [
        {"time_factor": "1.5", "reason": "a stranger's wish"}
    ],
    "PATCH /api/admin/users/{user_id}/role": lambda _other: [{"role": "SUPPORT"}],
    "POST /api/admin/users/{user_id}/refunds": lambda other: [
        {"transaction_id": id, "amount": 1, "reason": "a stranger's wish"}
        for id in other.ids_in("transactions")[:1]
    ],
    "PATCH /api/admin/products/{product_id}": lambda _other: [
        {"updated_at": row.updated_at.isoformat(), "name": "A product"}
        for row in bank.rows(
            "SELECT updated_at FROM payments.products WHERE name = 'A product' ORDER BY id"
        )[:1]
    ],
    "PATCH /api/admin/promotion-codes/{code_id}": lambda _other: [{"is_active": False}],
    "PATCH /api/admin/broadcasts/{broadcast_id}": lambda _other: [{"name": "a stranger's"}],
    "PATCH /api/admin/courses/{course_id}": lambda _other: _seen("courses", title="Theirs"),
    "PUT /api/admin/courses/{course_id}/prerequisites": lambda _other: [{"course_ids": []}],
    "POST /api/admin/courses/{course_id}/modules": lambda _other: [{"title": "Theirs"}],
    "POST /api/admin/courses/{course_id}/topics": lambda _other: [{"name": "Theirs"}],
    "PATCH /api/admin/modules/{module_id}": lambda _other: _seen("modules", title="Theirs"),
    "POST /api/admin/modules/{module_id}/move": lambda _other: [{"position": 0}],
    "POST /api/admin/modules/{module_id}/lessons": lambda _other: [
        {"title": "Theirs", "kind": "ARTICLE"}
    ],
    "PATCH /api/courses/{slug}/enrollment": lambda _other: [{"status": "PAUSED"}],
    "POST /api/lessons/{lesson_id}/progress": lambda _other: [
        {"type": "view"},
        {"type": "heartbeats", "beats": [{"from": 0, "to": 9}], "position": 9},
        {"type": "complete"},
    ],
    "POST /api/lessons/{lesson_id}/notes": lambda _other: [{"body": "A stranger's"}],
    "PATCH /api/notes/{note_id}": lambda _other: [{"body": "A stranger's"}],
    "PATCH /api/admin/lessons/{lesson_id}": lambda _other: _seen("lessons", title="Theirs"),
    "POST /api/admin/lessons/{lesson_id}/move": lambda _other: [{"position": 0}],
    "POST /api/admin/lessons/{lesson_id}/captions": lambda _other: [
        {"language": "en", "name": "Theirs"}
    ],
    "PUT /api/admin/lessons/{lesson_id}/transcript": lambda _other: [{"transcript": "Theirs"}],
    "POST /api/admin/lessons/{lesson_id}/assets": lambda _other: [
        {"file_name": "theirs.pdf", "mime_type": "application/pdf", "size": 1}
    ],
    "PATCH /api/admin/assets/{asset_id}": lambda _other: [{"title": "Theirs"}],
    "PATCH /api/admin/topics/{topic_id}": lambda _other: _seen("topics", name="Theirs"),
    "POST /api/admin/topics/{topic_id}/move": lambda _other: [{"position": 0}],
}
"""What an operation takes whose path names a row: it must be refused for WHOSE row it is, not for
its form.
"""


@dataclass(frozen=True)
class Operation:
    """One operation of the document."""

    method: str
    path: str
    takes_body: bool

    @property
    def name(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def parameters(self) -> list[str]:
        """The one that names a row; a provider is nobody's, a code whoever's knows it, and what
        comes below a row is that row's.
        """
        named = re.findall(r"\{(\w+)\}", self.path)
        return [name for name in named if name not in {"provider", "code"}][:1]

    @property
    def address(self) -> str:
        """Its path, where no parameter names a row."""
        return self.path.replace("{provider}", "google")

    @property
    def answers(self) -> set[int]:
        """What somebody is answered who may call it, without a row and without a body."""
        # No provider is offered in these tests, and none is linked.
        of_nothing = any(each in self.path for each in ("{provider}", "{code}", "{slug}"))
        nothing_there = of_nothing or self.name in OF_A_SUBSCRIBER
        return {200, 204, 422} | ({404} if nothing_there else set())

    def others_ids(self, other: Other) -> list[str]:
        """Paths that name rows of `other`."""
        [parameter] = self.parameters
        [factory] = [
            make
            for (prefix, name), make in OTHERS_IDS.items()
            if self.path.startswith(prefix) and name == parameter
        ]
        return factory(other)

    def at(self, identifier: str) -> str:
        return re.sub(r"\{\w+\}", identifier, self.address)


def operations() -> list[Operation]:
    """Every operation of every API function, health checks included."""
    document = openapi.document(sam.read())
    return [
        Operation(method.upper(), path, "requestBody" in operation)
        for path, item in document["paths"].items()
        for method, operation in item.items()
    ]


OPERATIONS = operations()


@dataclass
class Findings:
    """How much was tried and what was open."""

    tried: int = 0
    open: list[str] = field(default_factory=list)

    def check(self, holds: bool, answer: Any, name: str, why: str) -> None:
        self.tried += 1
        if not holds:
            self.open.append(f"{name}: {why}, but {answer.status_code} {answer.text[:200]}")


@pytest.fixture(scope="module")
def app() -> Any:
    """All API functions with their health checks."""
    return openapi.application(sam.read())


@pytest.fixture
def other(
    sign_up: Callable[..., Person], standin: LocalStripe, videos: LocalMux, bucket: Any
) -> Other:
    """Somebody with a second device, an exam under way and one submitted, and a subscription with
    seats.
    """
    person = sign_up()
    person.api.post("/api/auth/login", json={"email": person.email, "password": PASSWORD})
    person.api.cookies.clear()
    submitted = exams.start(person, "ot-intervention-drill")
    exams.save(person, submitted, submitted["items"][0], exams.any_answer(submitted["items"][0]))
    exams.finalize(person, submitted)
    running = exams.start(person, "ot-diagnostic")
    exams.save(person, running, running["items"][0], exams.any_answer(running["items"][0]))
    bank.execute(
        "INSERT INTO payments.stripe_events (id, type, occurred_at, processed_at)"
        " VALUES (:id, 'product.updated', now(), now())",
        id=EVENT,
    )
    login_sessions = [row["id"] for row in person.get("/api/auth/sessions").json()["items"]]
    assert len(login_sessions) == 2
    money = ledger.fill(person, member=sign_up())
    code = {"code": "OTHERS", "name": "Others", "percent_off": 5}
    assert sign_up(role="ADMIN").post("/api/admin/promotion-codes", json=code).status_code == 201
    tell(person.id, "a", "b")
    mails, broadcasts = _failed_mails_of(person), [_draft_broadcast()]
    suppressions = [_bounce_of(person)]
    learning.note_of(person.id)
    return Other(
        person,
        login_sessions,
        running,
        submitted,
        money,
        mails,
        broadcasts,
        suppressions,
        _certificate_of(person),
        _attempts_of(person),
        videos,
        bucket,
    )


def _attempts_of(person: Person) -> list[str]:
    submitted = quizzes.take(person, quizzes.a_quiz())
    running = quizzes.begin(person, quizzes.a_quiz())
    quizzes.save(person, running, running["items"][0], quizzes.right(running["items"][0]))
    return [running["id"], submitted["id"]]


def _certificate_of(person: Person) -> str:
    with transaction() as session:
        course = authoring.a_published_course()[0]
        now = session.execute(text("SELECT now()")).scalar_one()
        made = certificates.issue(session, person.id, course, now=now)
        assert made is not None
        certificates.revoke(session, made, by=person.id, reason="A test", now=now)
        return str(made)


def _failed_mails_of(person: Person) -> list[str]:
    """Somebody's mails that were refused, whatever they were for."""
    with transaction() as session:
        failed = session.execute(
            text(
                "UPDATE notifications.email_queue SET status = 'FAILED'"
                " WHERE user_id = :id AND template = 'WELCOME' RETURNING id"
            ),
            {"id": person.id},
        )
        return [str(row.id) for row in failed]


def _bounce_of(person: Person) -> str:
    with transaction() as session:
        bounced = session.execute(
            text(
                "INSERT INTO notifications.email_suppressions (id, address_hash, reason, user_id)"
                " VALUES (gen_random_uuid(), sha256('x'), 'HARD_BOUNCE', :id) RETURNING id"
            ),
            {"id": person.id},
        )
        return str(bounced.scalar_one())


def _draft_broadcast() -> str:
    with transaction() as session:
        drafted = session.execute(
            text(
                "INSERT INTO notifications.broadcasts (id, name, subject, body)"
                " VALUES (gen_random_uuid(), 'News', 'News', 'Hello.') RETURNING id"
            )
        )
        return str(drafted.scalar_one())


def _rows_of(other: Other) -> dict[str, str]:
    """Everything the database holds of somebody, as text by table."""
    from studypack.core.database import Base

    found: dict[str, str] = {}
    with transaction() as session:
        for table in Base.metadata.sorted_tables:
            if "user_id" in table.c:
                mine = "t.user_id = :user"
            elif "session_id" in table.c:
                mine = (
                    "t.session_id IN (SELECT id FROM learning.exam_sessions WHERE user_id = :user)"
                )
            elif "attempt_id" in table.c:
                mine = (
                    "t.attempt_id IN (SELECT id FROM learning.quiz_attempts WHERE user_id = :user)"
                )
            elif "customer_id" in table.c:
                mine = "t.customer_id IN (SELECT id FROM payments.customers WHERE user_id = :user)"
            elif table.fullname == "payments.seat_invitations":
                mine = (
                    "t.subscription_id IN"
                    " (SELECT id FROM payments.subscriptions WHERE user_id = :user)"
                )
            elif table.fullname == "auth.users":
                mine = "t.id = :user"
            elif table.fullname == "auth.audit_log":
                mine = "t.subject_id = :user OR t.actor_id = :user"
            else:
                continue
            rows = session.scalars(
                text(f"SELECT to_jsonb(t)::text FROM {table.fullname} t WHERE {mine} ORDER BY 1"),
                {"user": other.person.id},
            ).all()
            found[table.fullname] = json.dumps(rows)
    return found


def _own_words(answer: Any) -> str:
    """An answer's text without the path that it repeats."""
    try:
        document = answer.json()
    except ValueError:
        return str(answer.text)
    if isinstance(document, dict):
        document.pop("instance", None)
    return json.dumps(document)


def _requests(operation: Operation, other: Other, identifier: str) -> Iterator[dict[str, Any]]:
    """The operation on one row: with every valid body, with none, with a wrong one."""
    path = operation.at(identifier)
    if not operation.takes_body:
        yield {"method": operation.method, "path": path}
        return
    for body in VALID_BODIES[operation.name](other):
        yield {"method": operation.method, "path": path, "json": body}
    yield {"method": operation.method, "path": path}
    yield {"method": operation.method, "path": path, "json": {"unknown": 1}}


def _is_valid(operation: Operation, request: dict[str, Any]) -> bool:
    return not operation.takes_body or ("json" in request and "unknown" not in request["json"])


def test_every_route_is_in_the_table_of_who_may_call_it() -> None:
    assert {operation.name for operation in OPERATIONS} == WHO_MAY_CALL.keys()


def test_every_parameter_in_a_path_has_a_row_of_another_to_try() -> None:
    untested = []
    for operation in OPERATIONS:
        for parameter in operation.parameters:
            factories = [
                key
                for key in OTHERS_IDS
                if operation.path.startswith(key[0]) and key[1] == parameter
            ]
            if len(factories) != 1 or len(operation.parameters) != 1:
                untested.append(operation.name)
        if operation.parameters and operation.takes_body and operation.name not in VALID_BODIES:
            untested.append(operation.name)

    assert untested == []


def test_the_document_says_for_each_route_whether_one_must_be_signed_in() -> None:
    document = openapi.document(sam.read())

    for operation in OPERATIONS:
        described = document["paths"][operation.path][operation.method.lower()]
        said = {} not in described.get("security", [{}])  # {}: without will do
        assert said == (WHO_MAY_CALL[operation.name] != PUBLIC), operation.name


def test_without_a_session_only_public_routes_answer(
    api: Any, other: Other, record_property: Callable[[str, object], None]
) -> None:
    found = Findings()
    before = _rows_of(other)
    stranger_token = {"Authorization": "Bearer not-a-token-of-anybody"}
    for operation in OPERATIONS:
        if WHO_MAY_CALL[operation.name] == PUBLIC:
            answer = api.request(operation.method, operation.address)
            found.check(answer.status_code in operation.answers, answer, operation.name, "public")
            continue
        ids = operation.others_ids(other) if operation.parameters else [""]
        for identifier in ids:
            bodies = (
                [{}] if operation.name not in VALID_BODIES else VALID_BODIES[operation.name](other)
            )
            for body in bodies:
                for headers in ({}, stranger_token):
                    answer = api.request(
                        operation.method,
                        operation.at(identifier),
                        headers=headers,
                        json=body if operation.takes_body else None,
                    )
                    refused = (
                        answer.status_code == 401 and answer.json()["code"] == "unauthenticated"
                    )
                    found.check(refused, answer, operation.name, "anonymous gets 401")

    assert found.open == []
    assert _rows_of(other) == before
    record_property("figure", f"ownership: anonymous, {found.tried} requests, 0 open")


@pytest.mark.parametrize("role", ["USER", "SUPPORT", "ADMIN"])
def test_anothers_row_does_not_exist_for_anybody_and_a_role_below_is_refused(
    role: str,
    other: Other,
    sign_up: Callable[..., Person],
    record_property: Callable[[str, object], None],
) -> None:
    found = Findings()
    caller = sign_up(role=role)
    before = _rows_of(other)
    for operation in OPERATIONS:
        if not operation.parameters:
            continue
        may_call = MAY_CALL.get(WHO_MAY_CALL[operation.name])
        back_office = may_call is not None
        if may_call and role in may_call:
            continue
        nobodys = str(uuid4())
        for identifier in operation.others_ids(other):
            for request, blank in zip(
                _requests(operation, other, identifier),
                _requests(operation, other, nobodys),
                strict=True,
            ):
                answer = caller.request(**request)
                if back_office:
                    refused = answer.status_code == 403
                elif _is_valid(operation, request):
                    refused = answer.status_code == 404
                else:
                    refused = answer.status_code == 422
                found.check(refused, answer, operation.name, f"another's id as {role}")
                same = _own_words(answer) == _own_words(caller.request(**blank))
                found.check(same, answer, operation.name, "as for an id of nobody")

    assert found.open == []
    assert _rows_of(other) == before
    record_property("figure", f"ownership: {role}, {found.tried} requests with others' ids, 0 open")


@pytest.mark.parametrize("role", ["USER", "SUPPORT", "ADMIN"])
def test_a_route_without_an_id_shows_its_caller_nothing_of_another(
    role: str,
    other: Other,
    sign_up: Callable[..., Person],
    record_property: Callable[[str, object], None],
) -> None:
    found = Findings()
    for operation in OPERATIONS:
        if operation.parameters:
            continue
        # Each its own caller, since some of them end the caller's session.
        caller = sign_up(role=role)
        answer = caller.request(operation.method, operation.address)
        if WHO_MAY_CALL[operation.name] in MAY_CALL:
            allowed = role in MAY_CALL[WHO_MAY_CALL[operation.name]]
            # 422: it takes a body.
            # 422: something must be given, which nothing was.
            # 415: it takes a file.
            holds = answer.status_code in ({200, 415, 422} if allowed else {403})
            found.check(holds, answer, operation.name, f"{role} at the back office")
            if allowed:
                continue
        else:
            holds = answer.status_code in operation.answers
            found.check(holds, answer, operation.name, f"{role} may call it")
        leaks = [trace for trace in other.traces if trace in answer.text]
        found.check(leaks == [], answer, operation.name, f"nothing of another in it ({leaks})")

    assert found.open == []
    record_property("figure", f"ownership: {role}, {found.tried} checks of own routes, 0 open")


@pytest.mark.parametrize("role", ["SUPPORT", "ADMIN"])
def test_the_back_office_reaches_an_account_and_finds_no_account_of_nobody(
    role: str, other: Other, sign_up: Callable[..., Person]
) -> None:
    found = Findings()
    caller = sign_up(role=role)
    for operation in OPERATIONS:
        if role not in MAY_CALL.get(WHO_MAY_CALL[operation.name], ()) or not operation.parameters:
            continue
        there = {409} if operation.name in THERE_ALREADY else {200, 201, 202, 204}
        named = [(each, there) for each in operation.others_ids(other)]
        for identifier, done in (*named, (str(uuid4()), {404})):
            for request in _requests(operation, other, identifier):
                answer = caller.request(**request)
                expected = done if _is_valid(operation, request) else {422}
                found.check(answer.status_code in expected, answer, operation.name, f"{expected}")

    assert found.open == []
    assert found.tried >= 8


def test_without_the_feature_its_routes_ask_for_it_and_the_others_do_not(
    other: Other, sign_up: Callable[..., Person]
) -> None:
    found = Findings()
    with transaction() as session:
        session.execute(text("DELETE FROM auth.settings WHERE key = 'free_plan_features'"))
    forget_business_settings()
    for operation in OPERATIONS:
        caller = sign_up()
        identifier = operation.others_ids(other)[0] if operation.parameters else ""
        answer = caller.request(
            operation.method,
            operation.at(identifier),
            json={"template": "ot-diagnostic"} if operation.takes_body else None,
        )
        asked = WHO_MAY_CALL[operation.name] == EXAMS
        found.check((answer.status_code == 402) == asked, answer, operation.name, f"402: {asked}")
        if asked:
            named = answer.json().get("features") == ["exams"]
            found.check(named, answer, operation.name, "names the feature")

    assert found.open == []


def test_a_cursor_made_of_anothers_id_opens_nothing(other: Other, learner: Person) -> None:
    from uuid import UUID

    from studypack.core.paging import encode_cursor

    for identifier in (other.running["id"], other.submitted["id"], "f" * 32):
        cursor = encode_cursor(UUID(identifier))
        answer = learner.get("/api/exams/sessions", params={"cursor": cursor})

        assert (answer.status_code, answer.json()) == (200, {"items": [], "next_cursor": None})


def test_anothers_question_cannot_be_answered_in_ones_own_session(
    other: Other, learner: Person
) -> None:
    mine = exams.start(learner, "python-drill")
    own = {item["question_id"] for item in mine["items"]}
    item = next(item for item in other.running["items"] if item["question_id"] not in own)

    answer = exams.save(learner, mine, item, exams.any_answer(item))

    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == ["question_id"]


def test_every_body_refuses_fields_it_does_not_name_and_none_sets_a_right() -> None:
    document = openapi.document(sam.read())
    rights = {"id", "user_id", "role", "is_active", "access_override", "email_verified", "features"}
    for path, item in document["paths"].items():
        for method, operation in item.items():
            content = operation.get("requestBody", {}).get("content", {})
            if "application/json" not in content:  # none, or a file
                continue
            schema = content["application/json"]["schema"]
            name = f"{method.upper()} {path}"
            for each in schema.get("oneOf", [schema]):
                body = document["components"]["schemas"][each["$ref"].rpartition("/")[2]]

                assert body["additionalProperties"] is False, name
                if WHO_MAY_CALL[name] != ADMIN:
                    assert set(body["properties"]) & rights == SETS_RIGHTS.get(name, set()), name
