from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.exc import DBAPIError

from studypack.core.database import transaction
from studypack.courses.mastery import EVIDENCE_CAP, PRIOR_EVIDENCE, PRIOR_MASTERY, updated
from studypack.courses.service import TopicEvidence, record_mastery
from tests.support import bank
from tests.support.concurrency import meeting_at

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)

answers = st.integers(1, 60).flatmap(
    lambda items: st.tuples(st.just(items), st.integers(0, items * 10_000).map(lambda c: c / 1e4))
)
"""A number of items, and the credit they earned: 4 places, as it is stored."""


def test_the_first_answers_move_mastery_from_the_prior() -> None:
    assert updated(None, 0, 1, 1) == pytest.approx((2 * 0.5 + 1) / 3)
    assert updated(None, 0, 0, 1) == pytest.approx((2 * 0.5 + 0) / 3)
    assert updated(None, 0, 8, 10) == pytest.approx(9 / 12)


def test_later_answers_are_weighed_against_the_evidence_so_far() -> None:
    assert updated(0.75, 12, 4, 4) == pytest.approx((12 * 0.75 + 4) / 16)


def test_old_evidence_weighs_no_more_than_the_cap() -> None:
    assert updated(0.2, 1_000, 10, 10) == updated(0.2, EVIDENCE_CAP, 10, 10)
    assert updated(0.2, 29, 10, 10) != updated(0.2, EVIDENCE_CAP, 10, 10)


@given(st.floats(0, 1), st.floats(2, 500), answers)
def test_mastery_stays_between_what_it_was_and_what_the_answers_were_worth(
    mastery: float, evidence: float, given_answers: tuple[int, float]
) -> None:
    items, credit = given_answers
    low, high = sorted((mastery, credit / items))
    assert low - 1e-9 <= updated(mastery, evidence, credit, items) <= high + 1e-9


@given(st.floats(0, 1) | st.none(), st.floats(2, 500), answers)
def test_a_better_answer_never_lowers_mastery(
    mastery: float | None, evidence: float, given_answers: tuple[int, float]
) -> None:
    items, credit = given_answers
    assert updated(mastery, evidence, credit, items) <= updated(mastery, evidence, items, items)


@pytest.fixture
def learner_id(database_url: str) -> UUID:
    """Somebody of the sample accounts."""
    found: UUID = bank.value("SELECT id FROM auth.users WHERE email = 'lea@example.com'")
    return found


@pytest.fixture
def topics(database_url: str) -> list[UUID]:
    """The topics of the sample courses."""
    return [row.id for row in bank.rows("SELECT id FROM learning.topics ORDER BY id")]


def record(user_id: UUID, *evidence: TopicEvidence, now: datetime = NOW) -> None:
    with transaction() as session:
        record_mastery(session, user_id, evidence, now=now)


def stored(user_id: UUID, topic_id: UUID) -> tuple[float, float]:
    found = bank.row(
        "SELECT mastery_score, evidence FROM learning.topic_mastery"
        " WHERE user_id = :user AND topic_id = :topic",
        user=user_id,
        topic=topic_id,
    )
    return float(found.mastery_score), float(found.evidence)


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(exams=st.lists(answers, min_size=1, max_size=6))
def test_the_statement_computes_what_the_function_does(
    learner_id: UUID, topics: list[UUID], exams: list[tuple[int, float]]
) -> None:
    bank.execute("DELETE FROM learning.topic_mastery")
    topic = topics[0]
    mastery: float | None = None
    evidence = PRIOR_EVIDENCE
    for items, credit in exams:
        record(learner_id, TopicEvidence(topic, items, credit))
        mastery = updated(mastery, evidence, credit, items)
        evidence += items
        score, weight = stored(learner_id, topic)
        # Five places are stored at each step.
        assert score == pytest.approx(mastery, abs=1e-5 * len(exams))
        assert weight == pytest.approx(evidence, abs=0.005)


@pytest.mark.parametrize("credit", [0.0, 60.0])
def test_all_wrong_and_all_right_for_ever_stay_between_nothing_and_all(
    learner_id: UUID, topics: list[UUID], credit: float
) -> None:
    for _ in range(12):
        record(learner_id, TopicEvidence(topics[0], 60, credit))
    score, evidence = stored(learner_id, topics[0])
    assert score == pytest.approx(credit / 60, abs=1e-3)
    assert evidence == 2 + 12 * 60


def test_each_topic_and_each_learner_has_a_mastery_of_its_own(
    learner_id: UUID, topics: list[UUID]
) -> None:
    other: UUID = bank.value("SELECT id FROM auth.users WHERE email = 'noah@example.com'")
    record(learner_id, TopicEvidence(topics[0], 4, 4.0), TopicEvidence(topics[1], 4, 0.0))
    record(other, TopicEvidence(topics[0], 1, 0.0))
    assert stored(learner_id, topics[0]) == (pytest.approx(5 / 6, abs=1e-5), 6)
    assert stored(learner_id, topics[1]) == (pytest.approx(1 / 6, abs=1e-5), 6)
    assert stored(other, topics[0]) == (pytest.approx(1 / 3, abs=1e-5), 3)


def test_no_evidence_is_no_row(learner_id: UUID) -> None:
    record(learner_id)
    assert bank.value("SELECT count(*) FROM learning.topic_mastery") == 0


def test_mastery_says_when_it_was_last_fed(learner_id: UUID, topics: list[UUID]) -> None:
    record(learner_id, TopicEvidence(topics[0], 1, 1.0))
    later = NOW.replace(month=5)
    record(learner_id, TopicEvidence(topics[0], 1, 1.0), now=later)
    assert bank.value("SELECT last_updated FROM learning.topic_mastery") == later


@pytest.mark.usefixtures("wide_pool")
def test_two_exams_at_once_both_count(learner_id: UUID, topics: list[UUID]) -> None:
    one, other = TopicEvidence(topics[0], 3, 3.0), TopicEvidence(topics[0], 5, 0.5)
    record(learner_id, TopicEvidence(topics[0], 1, 0.0))
    meeting_at(
        "SELECT id FROM learning.topic_mastery FOR UPDATE",
        [lambda: record(learner_id, one), lambda: record(learner_id, other)],
    )
    score, evidence = stored(learner_id, topics[0])
    assert evidence == 2 + 1 + 3 + 5
    assert score == pytest.approx((PRIOR_EVIDENCE * PRIOR_MASTERY + 3.5) / 11, abs=2e-5)


@pytest.mark.usefixtures("wide_pool")
def test_topics_in_opposite_orders_do_not_deadlock(learner_id: UUID, topics: list[UUID]) -> None:
    forth = [TopicEvidence(topic, 1, 1.0) for topic in topics]
    record(learner_id, *forth)
    calls: list[Any] = [
        lambda: record(learner_id, *forth),
        lambda: record(learner_id, *reversed(forth)),
    ]
    # Held in the middle, each would keep its half and want the other's.
    meeting_at(
        "SELECT id FROM learning.topic_mastery WHERE topic_id = :topic FOR UPDATE",
        calls,
        topic=topics[len(topics) // 2],
    )
    assert bank.value("SELECT DISTINCT evidence FROM learning.topic_mastery") == Decimal(5)


def test_an_unknown_topic_stores_nothing(learner_id: UUID, topics: list[UUID]) -> None:
    with pytest.raises(DBAPIError):
        record(learner_id, TopicEvidence(topics[0], 1, 1.0), TopicEvidence(uuid4(), 1, 1.0))
    assert bank.value("SELECT count(*) FROM learning.topic_mastery") == 0
