"""Learners who sit an exam, and what each was told: to be held against the database."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import func, select

from api.exams.schemas import ResponseIn, SessionOut
from local import environment
from studypack.accounts.models import LoginSession
from studypack.accounts.tokens import hash_token, new_token
from studypack.billing.entitlements import EVERYTHING
from studypack.core.database import transaction
from studypack.exams import assembly, responses, sessions, submission
from studypack.identity.models import User, UserProfile
from tests.faults.client import Answer, Client
from tests.support.exams import any_answer, move_clock

TEMPLATE = "ot-practice-exam"
"""Forty items on a scale: submission and the scoring job both have their part in it."""


@dataclass(frozen=True)
class Learner:
    """Somebody signed in with a running exam."""

    id: UUID
    token: str
    session_id: UUID
    items: tuple[tuple[str, dict[str, Any]], ...]
    """Each item's question and a well-formed answer to it."""

    def body(self, revision: int) -> dict[str, Any]:
        """The response with this revision: each goes to the next item and tells itself apart."""
        question_id, answer = self.items[revision % len(self.items)]
        return {
            "question_id": question_id,
            "answer": answer,
            "revision": revision,
            "flagged": revision % 2 == 0,
            "time_spent_seconds": revision,
        }

    def save(self, client: Client, revision: int) -> Answer:
        """Save the response with this revision."""
        return client.post(f"/api/exams/sessions/{self.session_id}/responses", self.body(revision))

    def finalize(self, client: Client) -> Answer:
        """Submit the exam."""
        return client.post(f"/api/exams/sessions/{self.session_id}/finalize")


@dataclass
class Books:
    """What clients were told. One thread writes for a learner; several learners write at once."""

    saved: dict[tuple[UUID, UUID], int] = field(default_factory=dict)
    """The highest revision acknowledged for a session's question."""
    kept: set[tuple[UUID, UUID, int]] = field(default_factory=set)
    """Every revision acknowledged."""
    sent: dict[tuple[UUID, UUID], int] = field(default_factory=dict)
    submitted: set[UUID] = field(default_factory=set)
    answers: list[Answer] = field(default_factory=list)
    changed: threading.Condition = field(default_factory=threading.Condition)

    def so_far(self) -> Books:
        """What has been said up to now; what was sent goes on being written down."""
        with self.changed:
            return Books(dict(self.saved), set(self.kept), self.sent)

    def save(self, learner: Learner, client: Client, revision: int) -> Answer:
        """Save and write down what was said."""
        key = (learner.session_id, UUID(str(learner.body(revision)["question_id"])))
        self.sent[key] = max(revision, self.sent.get(key, 0))
        answer = learner.save(client, revision)
        with self.changed:
            self.answers.append(answer)
            if answer.status == 200:
                self.saved[key] = max(revision, self.saved.get(key, 0))
                self.kept.add((*key, revision))
            self.changed.notify_all()
        return answer

    def finalize(self, learner: Learner, client: Client) -> Answer:
        """Submit and write down what was said."""
        answer = learner.finalize(client)
        with self.changed:
            self.answers.append(answer)
            if answer.status == 200:
                self.submitted.add(learner.session_id)
            self.changed.notify_all()
        return answer

    def acknowledged(self) -> int:
        """How many requests succeeded."""
        return sum(answer.status == 200 for answer in self.answers)

    def wait_for_more(self, number: int, *, seconds: float = 60) -> None:
        """Return when so many more requests have succeeded."""
        with self.changed:
            wanted = self.acknowledged() + number
            assert self.changed.wait_for(lambda: self.acknowledged() >= wanted, seconds), (
                f"not even {number} requests succeeded within {seconds:.0f} s"
            )


def enrol(url: str, number: int) -> list[Learner]:
    """Make learners, each with a session token and a running exam."""
    with environment.applied({"DATABASE_URL": url}):
        tokens = [new_token() for _ in range(number)]
        users = _sign_up(tokens)
        return [_start(user_id, token) for user_id, token in zip(users, tokens, strict=True)]


def submit(url: str, learners: Sequence[Learner], *, answers: int = 2) -> None:
    """Let learners answer a little and submit, so that their exams await the scoring job."""
    with environment.applied({"DATABASE_URL": url}):
        for learner in learners:
            with transaction() as session:
                for revision in range(1, answers + 1):
                    response = ResponseIn.model_validate(learner.body(revision)).to_service()
                    responses.save(session, learner.id, learner.session_id, response)
                submission.finalize(session, learner.id, learner.session_id)


def let_expire(url: str, learners: Sequence[Learner]) -> None:
    """Let the time of these exams be up."""
    with environment.applied({"DATABASE_URL": url}):
        for learner in learners:
            move_clock(str(learner.session_id), 24 * 3600)


def _sign_up(tokens: Sequence[str]) -> list[UUID]:
    with transaction() as session:
        users = [
            User(id=uuid4(), email=f"{uuid4().hex[:12]}@example.com", timezone="UTC")
            for _ in tokens
        ]
        session.add_all(users)
        session.flush()
        session.add_all([UserProfile(user_id=user.id) for user in users])
        tomorrow = session.execute(select(func.now() + func.make_interval(0, 0, 0, 1))).scalar_one()
        session.add_all(
            [
                LoginSession(user_id=user.id, token_hash=hash_token(token), expires_at=tomorrow)
                for user, token in zip(users, tokens, strict=True)
            ]
        )
        return [user.id for user in users]


def _start(user_id: UUID, token: str) -> Learner:
    with transaction() as session:
        now = session.execute(select(func.now())).scalar_one()
        session_id = assembly.start(
            session,
            user_id,
            TEMPLATE,
            entitlements=EVERYTHING,
            time_factor=Decimal(1),
            now=now,
        )
        view = sessions.load(session, user_id, session_id)
        items = SessionOut.of_view(view, now=now).model_dump(mode="json")["items"]
    return Learner(
        user_id,
        token,
        session_id,
        tuple((item["question_id"], any_answer(item)) for item in items),
    )
