"""A long course and its learners, twice: in our tables, and in those that seed 002 lays out.

Made by a few statements. Every learner has completed all of it, but for one who has done half and
two who have done nothing: these opened every lesson a quarter of an hour ago, so that what is
played of them now is credited.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import text
from sqlalchemy.orm import Session

SLUG: Final = "two-hundred-lessons"
MODULES, LESSONS = 10, 20
OTHERS: Final = 500
"""Learners beside those who are measured, so that a table is more than one learner's rows."""
VIDEO_SECONDS: Final = 3600

# The layout of seed 002 (parts 4 and 5), as Prisma migrates it, without what nothing here touches.
_SEED_TABLES: Final = """
CREATE SCHEMA seed;
CREATE TABLE seed."Module" (
    id text PRIMARY KEY, title text NOT NULL, description text, "order" integer NOT NULL,
    published boolean NOT NULL DEFAULT false,
    "createdAt" timestamp(3) NOT NULL DEFAULT now(), "updatedAt" timestamp(3) NOT NULL);
CREATE INDEX ON seed."Module" ("order");
CREATE TABLE seed."Lesson" (
    id text PRIMARY KEY, "moduleId" text NOT NULL REFERENCES seed."Module" ON DELETE CASCADE,
    title text NOT NULL, "order" integer NOT NULL, published boolean NOT NULL DEFAULT false,
    "isFree" boolean NOT NULL DEFAULT false, "muxAssetId" text, "muxPlaybackId" text,
    "videoDuration" integer, content jsonb,
    "createdAt" timestamp(3) NOT NULL DEFAULT now(), "updatedAt" timestamp(3) NOT NULL);
CREATE INDEX ON seed."Lesson" ("moduleId");
CREATE INDEX ON seed."Lesson" ("order");
CREATE TABLE seed."LessonProgress" (
    id text PRIMARY KEY, "userId" text NOT NULL,
    "lessonId" text NOT NULL REFERENCES seed."Lesson" ON DELETE CASCADE,
    completed boolean NOT NULL DEFAULT false, "completedAt" timestamp(3),
    "createdAt" timestamp(3) NOT NULL DEFAULT now(), "updatedAt" timestamp(3) NOT NULL);
CREATE UNIQUE INDEX ON seed."LessonProgress" ("userId", "lessonId");
CREATE INDEX ON seed."LessonProgress" ("userId");
CREATE INDEX ON seed."LessonProgress" ("lessonId")
"""

_COURSE: Final = """
INSERT INTO learning.courses (id, slug, title, description, syllabus, published)
VALUES (public.uuid7(), :slug, 'Two hundred lessons', 'A course as long as they come.',
        'All of it, **in order**.', true)
"""

_MODULES: Final = """
INSERT INTO learning.modules (id, course_id, slug, title, description, position, published)
SELECT public.uuid7(), c.id, 'module-' || n, 'Module ' || n, 'What module ' || n || ' is about.',
       n, true
  FROM learning.courses c, generate_series(0, CAST(:modules AS integer) - 1) AS n
 WHERE c.slug = :slug
"""

_LESSONS: Final = """
INSERT INTO learning.lessons (id, module_id, slug, title, summary, kind, position, published,
       content_markdown, body_text, estimated_minutes, video_status, mux_playback_id,
       duration_seconds)
SELECT public.uuid7(), m.id, 'lesson-' || n, 'Lesson ' || m.position || '.' || n,
       'What one knows after lesson ' || n || '.', 'VIDEO', n, true, body.words, body.words, 60,
       'READY', 'play-' || m.position || '-' || n, CAST(:seconds AS integer)
  FROM learning.modules m JOIN learning.courses c ON c.id = m.course_id AND c.slug = :slug,
       generate_series(0, CAST(:lessons AS integer) - 1) AS n,
       LATERAL (SELECT repeat('Words of a lesson. ', 100) AS words) body
"""

_OTHERS: Final = """
INSERT INTO auth.users (id, email)
SELECT public.uuid7(), 'other' || n || '@example.com'
  FROM generate_series(1, CAST(:others AS integer)) AS n
"""

_LEARNERS: Final = """
CREATE TEMPORARY TABLE learners AS
SELECT u.id, CASE u.id WHEN CAST(:halfway AS uuid) THEN CAST(:all AS integer) / 2
                 WHEN CAST(:first AS uuid) THEN 0 WHEN CAST(:second AS uuid) THEN 0
                 ELSE CAST(:all AS integer) END AS done
  FROM auth.users u
 WHERE u.email LIKE 'other%@example.com'
    OR u.id IN (CAST(:finished AS uuid), CAST(:halfway AS uuid), CAST(:first AS uuid),
                CAST(:second AS uuid))
"""

_PLACES: Final = """
CREATE TEMPORARY TABLE places AS
SELECT l.id, l.module_id, m.position AS module, l.position,
       row_number() OVER (ORDER BY m.position, l.position) AS place
  FROM learning.lessons l JOIN learning.modules m ON m.id = l.module_id
  JOIN learning.courses c ON c.id = m.course_id AND c.slug = :slug
"""

LESSONS_IN_ORDER: Final = """
SELECT l.id FROM learning.lessons l JOIN learning.modules m ON m.id = l.module_id
  JOIN learning.courses c ON c.id = m.course_id
 WHERE c.slug = :slug ORDER BY m.position, l.position
"""

_ENROLLMENTS: Final = """
INSERT INTO learning.enrollments (id, user_id, course_id, status, completed_at)
SELECT public.uuid7(), u.id, c.id,
       CASE WHEN u.done = :all THEN 'COMPLETED' ELSE 'ACTIVE' END,
       CASE WHEN u.done = :all THEN now() END
  FROM learners u, learning.courses c WHERE c.slug = :slug
"""

_CERTIFICATES: Final = """
INSERT INTO learning.certificates (id, user_id, course_id, code, recipient_name, course_title)
SELECT public.uuid7(), u.id, c.id, md5(CAST(u.id AS text)), 'A learner', c.title
  FROM learners u, learning.courses c
 WHERE c.slug = :slug AND u.done = :all
"""

_MODULE_PROGRESS: Final = """
INSERT INTO learning.module_progress
       (id, user_id, module_id, status, progress_percent, started_at, completed_at)
SELECT public.uuid7(), u.id, p.module_id,
       CASE WHEN bool_and(p.place <= u.done) THEN 'COMPLETED' ELSE 'IN_PROGRESS' END,
       100 * count(*) FILTER (WHERE p.place <= u.done) / count(*), now(),
       CASE WHEN bool_and(p.place <= u.done) THEN now() END
  FROM learners u, places p
 GROUP BY u.id, p.module_id HAVING bool_or(p.place <= u.done)
"""

_LESSON_PROGRESS: Final = """
INSERT INTO learning.lesson_progress
       (id, user_id, lesson_id, view_count, last_viewed_at, completed, completed_at,
        position_seconds, watched, watched_seconds, heartbeat_at)
SELECT public.uuid7(), u.id, p.id, 1, now() - interval '15 minutes', d.is_done, d.at, d.seconds,
       int4multirange(int4range(0, d.seconds)), d.seconds, d.at
  FROM learners u, places p,
       LATERAL (SELECT p.place <= u.done AS is_done,
                       CASE WHEN p.place <= u.done THEN now() END AS at,
                       CASE WHEN p.place <= u.done THEN CAST(:seconds AS integer) ELSE 0 END
                           AS seconds) d
 WHERE d.is_done OR u.done = 0
 ORDER BY u.id, p.place
"""

_COMPLETIONS: Final = """
INSERT INTO learning.item_completions (user_id, item_id, kind, module_id)
SELECT u.id, p.id, 'LESSON', p.module_id
  FROM learners u JOIN places p ON p.place <= u.done ORDER BY u.id, p.place
"""

_SEED_COURSE: Final = """
WITH modules AS (
    INSERT INTO seed."Module" (id, title, description, "order", published, "updatedAt")
    SELECT CAST(m.id AS text), m.title, m.description, m.position, true, now()
      FROM learning.modules m JOIN learning.courses c ON c.id = m.course_id AND c.slug = :slug)
INSERT INTO seed."Lesson" (id, "moduleId", title, "order", published, "muxPlaybackId",
       "videoDuration", content, "updatedAt")
SELECT CAST(l.id AS text), CAST(l.module_id AS text), l.title, l.position, true,
       l.mux_playback_id, l.duration_seconds, to_jsonb(l.body_text), now()
  FROM learning.lessons l JOIN places p ON p.id = l.id
"""

_SEED_PROGRESS: Final = """
INSERT INTO seed."LessonProgress" (id, "userId", "lessonId", completed, "completedAt", "updatedAt")
SELECT CAST(p.id AS text), CAST(p.user_id AS text), CAST(p.lesson_id AS text), p.completed,
       p.completed_at, now()
  FROM learning.lesson_progress p JOIN places l ON l.id = p.lesson_id
 WHERE p.completed ORDER BY p.user_id, p.lesson_id
"""

_FILLED: Final = (
    _COURSE,
    _MODULES,
    _LESSONS,
    _OTHERS,
    _LEARNERS,
    _PLACES,
    _ENROLLMENTS,
    _CERTIFICATES,
    _MODULE_PROGRESS,
    _LESSON_PROGRESS,
    _COMPLETIONS,
    *_SEED_TABLES.split(";\n"),
    _SEED_COURSE,
    _SEED_PROGRESS,
    "DROP TABLE learners, places",
)


def generate(session: Session, *, others: int, learners: Sequence[str]) -> None:
    """Make all of it, with four learners who have signed up: one who has finished, one halfway, two
    who begin.
    """
    given: dict[str, Any] = {
        "slug": SLUG,
        "modules": MODULES,
        "lessons": LESSONS,
        "all": MODULES * LESSONS,
        "seconds": VIDEO_SECONDS,
        "others": others,
        **dict(zip(("finished", "halfway", "first", "second"), learners, strict=True)),
    }
    session.execute(text("SET LOCAL statement_timeout = 0"))
    for statement in _FILLED:
        session.execute(text(statement), given)
