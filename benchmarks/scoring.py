"""The scoring job against the naive one: a session at a time through the ORM, the textbook's EAP.

Both score the same 5,000 sessions, each in a database of its own, a batch of 250 in turns; at the
end the scores are compared one by one.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from sqlalchemy import Engine, select, text

from benchmarks.application import (
    Application,
    Databases,
    application,
    one_flush_engine,
    session,
)
from benchmarks.pairs import interleaved, median_ratio
from benchmarks.report import Report, Row
from cron import score_exams
from local import postgres
from studypack.activity.models import UserActivity
from studypack.core.database import transaction
from studypack.exams.irt import DEFAULT_GRID, Item, eap, scaled
from studypack.exams.models import (
    ExamItem,
    ExamResponse,
    ExamSession,
    ExamStatus,
    ExamTemplate,
    ScoringMode,
)
from studypack.exams.scoring import Scoring

ROUNDS = 20
GENERATED = "bench_scoring"

_SESSIONS = """
INSERT INTO learning.exam_sessions
       (id, user_id, template_id, status, scoring_mode, blueprint, scoring, duration_minutes,
        started_at, deadline_at, submitted_at, submitted_by)
SELECT public.uuid7(), (SELECT id FROM auth.users ORDER BY id LIMIT 1), t.id, 'SUBMITTED',
       'scaled', t.blueprint,
       jsonb_build_object('scale_minimum', t.scale_minimum, 'scale_maximum', t.scale_maximum,
                          'pass_score', t.pass_score, 'pass_theta', t.pass_theta),
       t.duration_minutes, now() - interval '1 day', now() - interval '23 hours',
       now() - interval '23 hours' + make_interval(secs => n), 'CLOCK'
  FROM learning.exam_templates t, generate_series(1, :sessions) AS n
 WHERE t.slug = 'ot-practice-exam'
"""

_ITEMS = """
INSERT INTO learning.exam_items
       (session_id, position, question_id, question_version, topic_id, discrimination, location)
SELECT s.id, p, bank.id, bank.version, bank.topic_id,
       round(0.5 + 1.5 * (v.item * 37 % 1200) / 1200.0, 4),
       round(-2.5 + 5.0 * (v.item * 91 % 1200) / 1200.0, 4)
  FROM (SELECT id, row_number() OVER (ORDER BY submitted_at) AS n
          FROM learning.exam_sessions) AS s
 CROSS JOIN generate_series(1, 40) AS p
 CROSS JOIN LATERAL (SELECT (s.n * 13 + p * 29) % 1200 AS item) AS v
  JOIN (SELECT id, version, topic_id, row_number() OVER (ORDER BY id) - 1 AS place,
               count(*) OVER () AS size
          FROM learning.questions WHERE status = 'ACTIVE') AS bank
    ON bank.place = (s.n * 7 + p) % bank.size
"""
"""Parameters of 1,200 items, as a bank of that size would have: the form's 40 are drawn from it."""

_RESPONSES = """
INSERT INTO learning.exam_responses
       (id, session_id, question_id, answer, revision, answered_at, credit, is_correct)
SELECT public.uuid7(), drawn.session_id, drawn.question_id, '{}', 1, now(), drawn.credit,
       drawn.credit = 1
  FROM (SELECT i.session_id, i.question_id, random() AS answered,
               CASE WHEN random() < 0.1 THEN 0.5
                    WHEN random() < 1 / (1 + exp(-i.discrimination * (s.ability - i.location)))
                    THEN 1 ELSE 0 END AS credit
          FROM learning.exam_items i
          JOIN (SELECT id, (row_number() OVER (ORDER BY submitted_at) % 61 - 30) / 12.0 AS ability
                  FROM learning.exam_sessions) AS s ON s.id = i.session_id) AS drawn
 WHERE drawn.answered > 0.03
"""
"""Abilities from -2.5 to 2.5 logits; one response in ten half right, three in a hundred missing."""

_SCORES = """
SELECT id, theta, theta_error, score_scaled, passed FROM learning.exam_sessions
 WHERE status = 'REVIEW' ORDER BY submitted_at
"""
_ROUNDING = 1e-4
"""Sums in another order may fall to the other side of the stored fourth place."""


class _OneBatch:
    """A Lambda context that leaves the job time for a single batch."""

    aws_request_id = "benchmark"

    def __init__(self) -> None:
        self._asked = False

    def get_remaining_time_in_millis(self) -> int:
        """A minute at first, then nothing."""
        first, self._asked = not self._asked, True
        return 60_000 if first else 0


def run(
    databases: Databases, progress: Callable[[int, int], None], *, rounds: int = ROUNDS
) -> Report:
    """Score as many batches of sessions both ways, and compare the scores."""
    databases.prepare()
    postgres.drop_database(databases.cluster, GENERATED)
    try:
        return _compared(databases, progress, rounds)
    finally:
        postgres.drop_database(databases.cluster, GENERATED)


def _compared(databases: Databases, progress: Callable[[int, int], None], rounds: int) -> Report:
    batch = score_exams.BATCH
    sessions = rounds * batch
    _generate(databases, sessions)
    with (
        databases.clone(GENERATED) as our_url,
        databases.clone(GENERATED) as naive_url,
        application(our_url) as app,
    ):
        ours, naive = app.current(), app.open(one_flush_engine, naive_url)
        seconds = interleaved(
            (partial(_job, app, ours), partial(_naive_job, app, naive)),
            rounds=rounds,
            progress=progress,
        )
        compared = _same_scores(app, ours, naive, sessions)
        computing = _computing(app, ours)
    return Report(
        "scoring",
        f"Scoring job, {sessions:,} sessions of 40 items in batches of {batch}",
        "one session at a time through the ORM, EAP by the textbook (one exp a node and item)",
        (
            _row("sessions scored and written", seconds, batch),
            _row("ability alone, without database", computing, batch),
        ),
        (f"all {compared:,} scores and verdicts are the same both ways; more is better",),
    )


def _row(name: str, seconds: Sequence[Sequence[float]], sessions: int) -> Row:
    ours, other = seconds
    return Row(
        name,
        sessions / statistics.median(ours),
        sessions / statistics.median(other),
        "sessions/s",
        median_ratio(other, ours),
    )


def _generate(databases: Databases, sessions: int) -> None:
    url = postgres.clone_database(databases.cluster, databases.template, GENERATED)
    with application(url) as app, session(app) as opened:
        opened.execute(text("SELECT setseed(0.42)"))
        opened.execute(text(_SESSIONS), {"sessions": sessions})
        opened.execute(text(_ITEMS))
        opened.execute(text(_RESPONSES))
        opened.execute(
            text("ANALYZE learning.exam_sessions, learning.exam_items, learning.exam_responses")
        )


def _job(app: Application, engine: Engine) -> None:
    app.engine = engine
    report = score_exams.handler({}, _OneBatch())
    if report["processed"] != score_exams.BATCH:
        raise RuntimeError(f"a batch of {score_exams.BATCH} scored {report['processed']}")


def _naive_job(app: Application, engine: Engine) -> None:
    app.engine = engine
    for _ in range(score_exams.BATCH):
        _score_one()


def _score_one() -> None:
    with transaction() as opened:
        found = opened.scalars(
            select(ExamSession)
            .where(
                ExamSession.status == ExamStatus.SUBMITTED,
                ExamSession.scoring_mode == ScoringMode.SCALED,
            )
            .order_by(ExamSession.submitted_at)
            .limit(1)
            .with_for_update(skip_locked=True)
        ).one()
        template = opened.scalars(
            select(ExamTemplate).where(ExamTemplate.id == found.template_id)
        ).one()
        form = opened.scalars(
            select(ExamItem).where(ExamItem.session_id == found.id).order_by(ExamItem.position)
        ).all()
        responses = {
            response.question_id: response
            for response in opened.scalars(
                select(ExamResponse).where(ExamResponse.session_id == found.id)
            )
        }
        earned = [
            float(responses[item.question_id].credit or 0) if item.question_id in responses else 0.0
            for item in form
        ]
        theta, error = textbook_eap(
            [(float(item.discrimination), float(item.location)) for item in form], earned
        )
        scale = Scoring.model_validate(found.scoring).scale
        if scale is None:
            raise ValueError(f"session {found.id} has no scale")
        score = scaled(theta, scale)
        for name, value in {
            "status": ExamStatus.REVIEW,
            "theta": round(theta, 4),
            "theta_error": round(error, 4),
            "score_scaled": score,
            "passed": score >= scale.pass_score,
        }.items():
            setattr(found, name, value)
        opened.add(
            UserActivity(
                user_id=found.user_id,
                type="exam.scored",
                description=f"Scored {template.title}",
                activity_metadata={"exam_session_id": str(found.id), "score_scaled": score},
            )
        )


def textbook_eap(
    items: Sequence[tuple[float, float]], credits: Sequence[float]
) -> tuple[float, float]:
    """Posterior mean and standard deviation of ability, by the definition.

    `items` are (discrimination, difficulty) in logits, `credits` 0 to 1; the same nodes and prior
    as ours. Bock & Mislevy 1982, equations 6 and 7.
    """
    grid = DEFAULT_GRID
    posterior = []
    for node, weight in zip(grid.nodes, grid.weights, strict=True):
        likelihood = weight
        for (a, b), credit in zip(items, credits, strict=True):
            right = 1 / (1 + math.exp(-a * (node - b)))
            likelihood *= right**credit * (1 - right) ** (1 - credit)
        posterior.append(likelihood)
    total = sum(posterior)
    mean = sum(mass * node for mass, node in zip(posterior, grid.nodes, strict=True)) / total
    variance = (
        sum(mass * (node - mean) ** 2 for mass, node in zip(posterior, grid.nodes, strict=True))
        / total
    )
    return mean, math.sqrt(variance)


def _same_scores(app: Application, ours: Engine, naive: Engine, sessions: int) -> int:
    """How many scores were compared; raises RuntimeError at the first that differs."""
    app.engine = ours
    with session(app) as opened:
        our_rows = opened.execute(text(_SCORES)).all()
    app.engine = naive
    with session(app) as opened:
        naive_rows = opened.execute(text(_SCORES)).all()
    if not len(our_rows) == len(naive_rows) == sessions:
        raise RuntimeError(f"{len(our_rows)} and {len(naive_rows)} scored, not {sessions}")
    for mine, other in zip(our_rows, naive_rows, strict=True):
        same = (mine.id, mine.score_scaled, mine.passed) == (
            other.id,
            other.score_scaled,
            other.passed,
        )
        near = all(
            abs(float(a) - float(b)) <= _ROUNDING * 1.01
            for a, b in ((mine.theta, other.theta), (mine.theta_error, other.theta_error))
        )
        if not (same and near):
            raise RuntimeError(f"scores differ: {mine} and {other}")
    return len(our_rows)


def _computing(app: Application, engine: Engine) -> list[list[float]]:
    """The seconds of both estimates for a batch of forms, in turns."""
    app.engine = engine
    with session(app) as opened:
        rows = opened.execute(
            text(
                "SELECT array_agg(i.discrimination::float8) AS a, array_agg(i.location::float8)"
                " AS b, array_agg(coalesce(r.credit, 0)::float8) AS credits"
                "  FROM (SELECT id FROM learning.exam_sessions WHERE status = 'REVIEW'"
                "         ORDER BY submitted_at LIMIT :batch) AS s"
                "  JOIN learning.exam_items i ON i.session_id = s.id"
                "  LEFT JOIN learning.exam_responses r"
                "         ON r.session_id = i.session_id AND r.question_id = i.question_id"
                " GROUP BY s.id"
            ),
            {"batch": score_exams.BATCH},
        ).all()

    def ours() -> list[Any]:
        return [
            eap([Item(a, b) for a, b in zip(row.a, row.b, strict=True)], row.credits)
            for row in rows
        ]

    def textbook() -> list[Any]:
        return [textbook_eap(list(zip(row.a, row.b, strict=True)), row.credits) for row in rows]

    return interleaved((ours, textbook), rounds=11)
