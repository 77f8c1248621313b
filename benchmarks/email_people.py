"""Some hundred thousand learners and what they did, made by a few statements: seeded, and as of one
moment, so that every run decides the same. Only ids differ, which carry a time and chance.

Sign-ups grow over two years. Three of four people leave within weeks, the others stay for a year or
so; 12 % opted out, 14 % never verified their address, 1 % are closed, 7 % pay. Mails of the past
were decided, sent and written down.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

from studypack.lifecycle.moment import run

NOW = datetime(2026, 11, 23, 9, 30, tzinfo=UTC)
"""A Monday morning from Cape Verde to Cairo, when weekly digests come up besides all else."""
SEED = 0.42
MONTHS = 13
"""Of events."""

_PARTITIONS = """
SELECT activity.create_event_partition(CAST(month AS date))
  FROM generate_series(date_trunc('month', CAST(:now AS timestamptz) AT TIME ZONE 'UTC')
                           - make_interval(months => :months),
                       date_trunc('month', CAST(:now AS timestamptz) AT TIME ZONE 'UTC')
                           + interval '1 month', interval '1 month') AS month
"""

_USERS = """
INSERT INTO auth.users (id, email, email_verified_at, first_name, timezone, is_active,
       marketing_opt_out, access_override, last_login_at, created_at, deleted_at)
SELECT uuidv7(joined - clock_timestamp()), 'learner' || n || '@example.com',
       CASE WHEN verifies < 0.86 THEN joined + interval '10 minutes' END,
       CASE WHEN named < 0.7 THEN 'Learner' END,
       (ARRAY['UTC', 'Europe/London', 'Europe/Berlin', 'America/New_York', 'America/Chicago',
              'America/Los_Angeles', 'Asia/Kolkata', 'Australia/Sydney'])[1 + floor(lives * 8)],
       closes > 0.005, opts < 0.12, pays < 0.001,
       least(joined + days * interval '1 day', :now - interval '6 days' * lately), joined,
       CASE WHEN closes > 0.995 THEN :now - interval '1 day' * lately END
  FROM (SELECT n, :now - interval '730 days' * (1 - sqrt((n - 0.5) / :users)) AS joined,
               random() AS verifies, random() AS named, random() AS lives, random() AS closes,
               random() AS opts, random() AS pays, random() AS lately,
               -ln(1 - random()) * CASE WHEN random() < 0.25 THEN 400 ELSE 25 END AS days
          FROM generate_series(1, :users) AS n) drawn
"""

_NUMBERED = """
CREATE TEMPORARY TABLE numbered AS
SELECT row_number() OVER (ORDER BY created_at) AS n, id, email, created_at,
       greatest(last_login_at, created_at + interval '1 minute') AS left_at, random() AS draw
  FROM auth.users WHERE email LIKE 'learner%'
"""

_SESSIONS = """
INSERT INTO auth.sessions (id, user_id, token_hash, expires_at, last_seen_at, created_at)
SELECT public.uuid7(left_at), id, sha256(uuid_send(id)), left_at + interval '30 days',
       left_at + (least(:now, left_at + interval '3 days') - left_at) * random(), left_at
  FROM numbered WHERE left_at > :now - interval '14 days'
"""

_ACTIVITIES = """
INSERT INTO activity.user_activities (id, user_id, type, description, created_at)
SELECT uuidv7(at - clock_timestamp()), id,
       CASE WHEN random() < 0.8 THEN 'lesson.completed' ELSE 'exam.submitted' END, '', at
  FROM (SELECT id, created_at + (left_at - created_at) * random() AS at
          FROM numbered, generate_series(1, 3)) drawn ORDER BY at
"""

_XP = """
INSERT INTO activity.xp_logs (id, user_id, source_type, reference_id, xp_amount, created_at)
SELECT uuidv7(at - clock_timestamp()), id, 'LESSON', gen_random_uuid(),
       10 + floor(random() * 40), at
  FROM (SELECT id, created_at + (left_at - created_at) * random() AS at
          FROM numbered, generate_series(1, 4)) drawn ORDER BY at
"""

_EXAMS = """
INSERT INTO learning.exam_sessions (id, user_id, template_id, status, scoring_mode, blueprint,
       scoring, duration_minutes, started_at, deadline_at, submitted_at, submitted_by)
SELECT uuidv7(at - clock_timestamp()), p.id, t.id, 'REVIEW', t.scoring_mode, t.blueprint, '{}',
       t.duration_minutes, at, at + interval '4 hours', at + interval '2 hours', 'LEARNER'
  FROM (SELECT id, created_at + (left_at - created_at) * random() AS at
          FROM numbered WHERE draw < 0.1) p,
       (SELECT * FROM learning.exam_templates ORDER BY id LIMIT 1) t
"""

_ITEMS = """
INSERT INTO learning.exam_items (session_id, position, question_id, question_version, topic_id,
       discrimination, location)
SELECT s.id, q.place, q.id, q.version, q.topic_id, 1, 0
  FROM learning.exam_sessions s,
       (SELECT *, row_number() OVER (ORDER BY id) AS place FROM learning.questions
         ORDER BY id LIMIT 10) q
"""

_RESPONSES = """
INSERT INTO learning.exam_responses (id, session_id, question_id, answer, revision, answered_at,
       time_spent_seconds, credit, is_correct)
SELECT uuidv7(s.started_at - clock_timestamp()), s.id, i.question_id, '{}', 1,
       s.started_at + interval '10 minutes', 60, 1, true
  FROM learning.exam_sessions s JOIN learning.exam_items i ON i.session_id = s.id
"""

# Each the first three lessons of all; the last that they opened is as old as their last visit.
_LESSONS = """
INSERT INTO learning.lesson_progress (id, user_id, lesson_id, view_count, last_viewed_at)
SELECT uuidv7(at - clock_timestamp()), p.id, l.id, 1, at
  FROM (SELECT id, place, created_at + (left_at - created_at) * random() AS at
          FROM numbered, generate_series(1, 3) AS place) p
  JOIN (SELECT id, row_number() OVER (ORDER BY id) AS place FROM learning.lessons) l
       USING (place) ORDER BY at
"""

_COMPLETED = """
INSERT INTO learning.item_completions (user_id, item_id, kind, module_id, completed_at)
SELECT p.user_id, p.lesson_id, 'LESSON', l.module_id, p.last_viewed_at + interval '10 minutes'
  FROM learning.lesson_progress p JOIN learning.lessons l ON l.id = p.lesson_id
"""

_PLACES = """
CREATE TEMPORARY TABLE places AS
SELECT row_number() OVER (ORDER BY m.id) - 1 AS place, m.id AS module_id,
       (SELECT id FROM learning.lessons WHERE kind = 'VIDEO' AND is_free
         ORDER BY id LIMIT 1) AS lesson_id
  FROM learning.modules m
"""

_HAPPENED = """
CREATE TEMPORARY TABLE happened (id uuid, at timestamptz, what float8, n integer)
"""

_DRAWN = """
INSERT INTO happened
SELECT p.id, greatest(p.created_at, :since) + (p.left_at - greatest(p.created_at, :since))
                   * drawn.moment, drawn.what, drawn.n
  FROM (SELECT n, 1 + floor(random() * :users) AS who, random() AS moment, random() AS what
          FROM generate_series(:first, :last) AS n) drawn
  JOIN numbered p ON p.n = drawn.who AND p.left_at > :since
"""

# A month after the other, as they came in: neighbours in time are neighbours on disk.
_EVENTS = """
INSERT INTO activity.analytics_events (id, user_id, client_session_id, event_name, event_time,
       payload)
SELECT uuidv7(at - clock_timestamp()), id, CAST(n AS text), name, at,
       CASE WHEN name IN ('module_completed', 'module_reset')
            THEN jsonb_build_object('module_id', module_id, 'course_percent', mod(n, 100))
            WHEN name LIKE 'video_1%' THEN jsonb_build_object('lesson_id', lesson_id)
            ELSE '{"path": "/courses/anatomy"}' END
  FROM (SELECT id, at, n, CASE WHEN what < 0.020 THEN 'video_1_started'
                    WHEN what < 0.033 THEN 'video_1_completed'
                    WHEN what < 0.043 THEN 'module_completed'
                    WHEN what < 0.044 THEN 'module_reset'
                    WHEN what < 0.300 THEN 'question_answered'
                    WHEN what < 0.500 THEN 'lesson_viewed'
                    ELSE 'page_viewed' END AS name
          FROM happened WHERE n <= :kept
           AND at >= date_trunc('month', :now) - make_interval(months => :ago)
           AND at < date_trunc('month', :now) - make_interval(months => :ago - 1)) known
  JOIN places ON place = mod(n, (SELECT count(*) FROM places))
 ORDER BY at
"""

_CUSTOMERS = """
INSERT INTO payments.customers (id, user_id, stripe_customer_id)
SELECT public.uuid7(created_at), id, 'cus_' || n FROM numbered WHERE draw < 0.09
"""

_SUBSCRIPTIONS = """
INSERT INTO payments.subscriptions (id, user_id, customer_id, product_id, stripe_subscription_id,
       stripe_price_id, plan, interval, amount, currency, status, started_at,
       current_period_start, current_period_end, cancel_at_period_end, payment_failed_at)
SELECT public.uuid7(k.created_at), k.id, c.id, p.id, 'sub_' || k.n, 'price_x', 'PRO', 'MONTHLY',
       4900, 'usd', k.status, k.created_at, k.ends - interval '1 month', k.ends, k.draw > 0.065,
       CASE WHEN k.status = 'PAST_DUE' THEN :now - interval '10 days' * k.failed END
  FROM (SELECT n, id, created_at, draw, random() AS failed,
               :now + interval '30 days' * random()
                   - CASE WHEN draw < 0.03 THEN interval '60 days' ELSE interval '0' END AS ends,
               CASE WHEN draw < 0.03 THEN 'CANCELED' WHEN draw < 0.033 THEN 'PAST_DUE'
                    ELSE 'ACTIVE' END AS status
          FROM numbered WHERE draw < 0.08) k
  JOIN payments.customers c ON c.user_id = k.id
 CROSS JOIN (SELECT id FROM payments.products WHERE sku = 'pro-monthly') p
"""

_INVOICES = """
INSERT INTO payments.invoices (id, user_id, customer_id, subscription_id, number,
       stripe_invoice_id, status, amount, total, amount_paid, currency, period_start, period_end,
       issued_at, paid_at, first_failed_at)
SELECT public.uuid7(s.current_period_start), s.user_id, s.customer_id, s.id,
       'INV-' || s.stripe_subscription_id || '-' || months, 'in_' || s.id || '-' || months,
       CASE WHEN months = 0 AND s.status = 'PAST_DUE' THEN 'OVERDUE' ELSE 'PAID' END,
       4900, 4900, CASE WHEN months = 0 AND s.status = 'PAST_DUE' THEN 0 ELSE 4900 END, 'usd',
       s.current_period_start, s.current_period_end, s.current_period_start,
       CASE WHEN months > 0 OR s.status <> 'PAST_DUE' THEN s.current_period_start END,
       CASE WHEN months = 0 THEN s.payment_failed_at END
  FROM payments.subscriptions s, generate_series(0, 3) AS months
"""

_PURCHASES = """
WITH kept AS (
    INSERT INTO payments.checkouts (id, user_id, customer_id, product_id, mode, status,
           price_amount, currency, stripe_price_id, success_url, cancel_url, expires_at)
    SELECT public.uuid7(k.created_at), k.id, c.id, p.id, 'PAYMENT', 'COMPLETED', 7900, 'usd',
           'price_y', 'https://app.example.com/', 'https://app.example.com/', k.created_at
      FROM numbered k JOIN payments.customers c ON c.user_id = k.id
     CROSS JOIN (SELECT id FROM payments.products WHERE sku = 'ot-exam-pack') p
     WHERE k.draw > 0.06 AND k.draw < 0.09
    RETURNING id, user_id, product_id)
INSERT INTO payments.purchases (id, user_id, product_id, checkout_id, status, total_amount,
       currency, access_start, access_end)
SELECT public.uuid7(k.created_at), k.id, o.product_id, o.id, 'COMPLETED', 7900, 'usd',
       k.created_at, k.created_at + interval '90 days'
  FROM kept o JOIN numbered k ON k.id = o.user_id
"""

_SUPPRESSIONS = """
INSERT INTO notifications.email_suppressions (id, address_hash, reason, category, user_id)
SELECT public.uuid7(created_at), sha256(convert_to(lower(email), 'UTF8')),
       CASE WHEN draw > 0.996 THEN 'HARD_BOUNCE' WHEN draw > 0.995 THEN 'COMPLAINT'
            ELSE 'UNSUBSCRIBE' END,
       CASE WHEN draw <= 0.995 THEN 'LEARNING' END, id
  FROM numbered WHERE draw > 0.985
"""

_PREFERENCES = """
INSERT INTO notifications.notification_preferences (id, user_id, category, email)
SELECT public.uuid7(created_at), id, category, false
  FROM numbered, unnest(ARRAY['LEARNING', 'REMINDERS']) AS category
 WHERE draw > 0.94 AND draw < 0.97
"""

_OLD_MAILS = """
WITH past AS (
    SELECT id AS user_id, 'WELCOME' AS template, CAST(id AS text) AS occasion, created_at AS at
      FROM numbered
    UNION ALL
    SELECT id, 'START_JOURNEY', CAST(id AS text), created_at + interval '1 day'
      FROM numbered WHERE created_at < :now - interval '1 day 1 hour'
    UNION ALL
    SELECT id, 'INACTIVE_NUDGE',
           id || ':' || to_char(left_at AT TIME ZONE 'UTC', 'YYYYMMDD"T"HH24MISS'),
           left_at + interval '7 days'
      FROM numbered WHERE left_at < :now - interval '21 days'),
mails AS (
    INSERT INTO notifications.email_queue (id, user_id, template, dedupe_key, scheduled_for,
           status, processed_at, created_at)
    SELECT uuidv7(at - clock_timestamp()), user_id, template, template || ':' || occasion, at,
           'SENT', at, at
      FROM past WHERE at > :now - interval '400 days' ORDER BY at)
INSERT INTO notifications.email_decisions (id, user_id, template, occasion, verdict, rule, reason,
       decided_at)
SELECT uuidv7(at - clock_timestamp()), user_id, template, occasion, 'SEND', lower(template),
       'due', at
  FROM past WHERE at > :now - interval '400 days' ORDER BY at
"""

_PEOPLE = {
    "partitions": _PARTITIONS,
    "users": _USERS,
    "in order": _NUMBERED,
    "sessions": _SESSIONS,
    "activities": _ACTIVITIES,
    "xp": _XP,
    "exams": _EXAMS,
    "exams' items": _ITEMS,
    "responses": _RESPONSES,
    "lessons": _LESSONS,
    "completed": _COMPLETED,
    "places": _PLACES,
    "customers": _CUSTOMERS,
    "subscriptions": _SUBSCRIPTIONS,
    "invoices": _INVOICES,
    "purchases": _PURCHASES,
    "suppressions": _SUPPRESSIONS,
    "preferences": _PREFERENCES,
    "old mails": _OLD_MAILS,
}
STEPS = len(_PEOPLE) + 3


def generate(engine: Engine, *, users: int, events: int) -> Iterator[str]:
    """Make them in a migrated and seeded database; yields the name of each step done, of STEPS."""
    values = {"now": NOW, "since": NOW.replace(year=NOW.year - 1), "users": users, "seed": SEED}
    with engine.connect() as connection, Session(connection) as session:
        run(session, text("SET statement_timeout = 0"), {})
        run(session, text("SELECT setseed(CAST(:seed AS float8))"), values)
        for name, statement in _PEOPLE.items():
            run(session, text(statement), {**values, "months": MONTHS})
            session.commit()
            yield name
        kept = _draw(session, values, events)
        yield "events drawn"
        for ago in range(MONTHS, -1, -1):
            run(session, text(_EVENTS), {**values, "ago": ago, "kept": kept})
            session.commit()
        yield "events"
        run(session, text("DROP TABLE numbered, happened, places"), {})
        session.commit()
        connection.execution_options(isolation_level="AUTOCOMMIT").execute(text("VACUUM ANALYZE"))
        run(session, text("RESET statement_timeout"), {})
        yield "analyzed"


def _draw(session: Session, values: Mapping[str, Any], events: int) -> int:
    """Draw until there are enough, since of those who left long ago none falls into the year; the
    number of the last to be kept.
    """
    run(session, text(_HAPPENED), {})
    drawn = had = 0
    while had < events:
        given = {**values, "first": drawn + 1, "last": drawn + events // 4}
        drawn += events // 4
        run(session, text(_DRAWN), given)
        had = run(session, text("SELECT count(*) FROM happened"), {}).scalar_one()
    last = text("SELECT n FROM happened ORDER BY n OFFSET :before LIMIT 1")
    return int(run(session, last, {"before": events - 1}).scalar_one())
