"""What follows when something of a course is done: exactly once, however many say so at once.

Locks are taken in one order, so that no two transactions wait for each other: the row that was
worked on (lesson progress, quiz attempt), the enrolment, then what hangs from it (item completions,
module progress, certificate, facts).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Row, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from studypack.activity.service import record_activity, record_event
from studypack.courses import certificates
from studypack.courses.access import VISIBLE_MODULE
from studypack.courses.enrollments import insert_enrollment
from studypack.courses.models import (
    Enrollment,
    EnrollmentStatus,
    ItemCompletion,
    ItemKind,
    ProgressStatus,
)
from studypack.courses.tally import (
    COUNT_OF_MODULE,
    ModuleTally,
    course_percent,
    is_course_finished,
)
from studypack.emails.pages import page_url
from studypack.notifications.inbox import Notice, notify
from studypack.notifications.models import NotificationType


@dataclass(frozen=True)
class Completed:
    """What became of it."""

    first_time: bool
    module_completed: bool
    """By this."""
    course_completed: bool
    """By this."""


_LOCK: Final = """
    SELECT e.id, e.user_id, e.course_id, e.status, c.slug, c.title
      FROM learning.enrollments e JOIN learning.courses c ON c.id = e.course_id
     WHERE e.user_id = :user_id AND e.course_id = {course_id}
       FOR NO KEY UPDATE OF e
"""
_LOCK_BY_MODULE: Final = text(
    _LOCK.format(course_id="(SELECT m.course_id FROM learning.modules m WHERE m.id = :module_id)")
)
_LOCK_BY_COURSE: Final = text(_LOCK.format(course_id=":course_id"))

_TALLY: Final = text(
    f"""
    SELECT m.id AS module_id, m.title, counted.items, counted.done, p.progress_percent,
           coalesce(p.status = 'COMPLETED', false) AS completed
      FROM learning.modules m
      LEFT JOIN learning.module_progress p ON p.module_id = m.id AND p.user_id = :user_id
     CROSS JOIN LATERAL ({COUNT_OF_MODULE}) counted
     WHERE m.course_id = :course_id AND {VISIBLE_MODULE}
     ORDER BY m.position
    """  # noqa: S608 (our own text)
)

_WRITE: Final = text(
    """
    INSERT INTO learning.module_progress AS p
           (id, user_id, module_id, status, progress_percent, started_at, completed_at,
            last_accessed_at, created_at, updated_at)
    SELECT public.uuid7(), CAST(:user_id AS uuid), w.module_id, w.status, w.percent, :now,
           CASE WHEN w.status = 'COMPLETED' THEN CAST(:now AS timestamptz) END, :now, :now, :now
      FROM jsonb_to_recordset(CAST(:written AS jsonb))
           AS w (module_id uuid, status text, percent smallint)
     ORDER BY w.module_id
        ON CONFLICT (user_id, module_id) DO UPDATE
       SET status = excluded.status, progress_percent = excluded.progress_percent,
           started_at = coalesce(p.started_at, excluded.started_at),
           completed_at = excluded.completed_at, updated_at = excluded.updated_at
    """
)


def complete_item(
    session: Session,
    user_id: UUID,
    item_id: UUID,
    kind: ItemKind,
    module_id: UUID,
    *,
    now: datetime,
) -> Completed:
    """Record that a learner has done a lesson, quiz or assignment, in the caller's transaction,
    with what follows for its module and its course. Done before, nothing changes.

    Holds the row that was worked on locked already, if there is one (see above). XP and the line
    of the feed are the caller's, for a `first_time`.
    """
    by_module = {"user_id": user_id, "module_id": module_id}
    enrolled = session.execute(_LOCK_BY_MODULE, by_module).one_or_none()
    if enrolled is None:
        # What is done is done, also by who began before this course had prerequisites.
        course_id = session.scalar(
            text("SELECT course_id FROM learning.modules WHERE id = :module_id"), by_module
        )
        insert_enrollment(session, user_id, course_id, now=now, checks_prerequisites=False)
        enrolled = session.execute(_LOCK_BY_MODULE, by_module).one()
    recorded = session.scalar(
        insert(ItemCompletion)
        .values(user_id=user_id, item_id=item_id, kind=kind, module_id=module_id, completed_at=now)
        .on_conflict_do_nothing(index_elements=["user_id", "item_id"])
        .returning(ItemCompletion.item_id)
    )
    if recorded is None:
        return Completed(first_time=False, module_completed=False, course_completed=False)
    finished, course_completed = _settle(session, enrolled, now=now)
    return Completed(
        first_time=True,
        module_completed=module_id in finished,
        course_completed=course_completed,
    )


def settle_enrollment(session: Session, user_id: UUID, course_id: UUID, *, now: datetime) -> bool:
    """Complete what of a course has nothing left to do, e.g. because its author took away the last
    open item; False when there was nothing to complete.
    """
    enrolled = session.execute(
        _LOCK_BY_COURSE, {"user_id": user_id, "course_id": course_id}
    ).one_or_none()
    if enrolled is None:
        return False
    finished, course_completed = _settle(session, enrolled, now=now)
    return bool(finished) or course_completed


def _settle(session: Session, enrolled: Row[Any], *, now: datetime) -> tuple[frozenset[UUID], bool]:
    """Bring modules and course to where the done items put them: the modules that were completed
    by it, and whether the course was. The enrolment is locked: nobody else does the same.
    """
    before = _tally(session, enrolled)
    changed = [each for each in before if not each.completed and _differs(each)]
    _write(session, enrolled.user_id, changed, now=now)
    finished = frozenset(each.module_id for each in changed if each.is_finished)
    after = [
        replace(each, completed=True) if each.module_id in finished else each for each in before
    ]
    percent = course_percent(after)
    for place, module in enumerate(after):
        if module.module_id in finished:
            following = next((m for m in after[place + 1 :] if m.items and not m.completed), None)
            _record_module(session, enrolled, module, following, percent, now=now)
    notify(
        session,
        [_notice(enrolled, each, percent) for each in after if each.module_id in finished],
    )
    course_completed = enrolled.status == EnrollmentStatus.ACTIVE and is_course_finished(after)
    if course_completed:
        _complete_course(session, enrolled, now=now)
    return finished, course_completed


def _tally(session: Session, enrolled: Row[Any]) -> list[ModuleTally]:
    given = {"user_id": enrolled.user_id, "course_id": enrolled.course_id}
    return [
        ModuleTally(
            module_id=row.module_id,
            title=row.title,
            items=row.items,
            done=row.done,
            completed=row.completed,
            recorded_percent=row.progress_percent,
        )
        for row in session.execute(_TALLY, given)
    ]


def _differs(module: ModuleTally) -> bool:
    if module.recorded_percent is None:
        return module.done > 0
    return module.is_finished or module.percent != module.recorded_percent


def _write(
    session: Session, user_id: UUID, modules: Sequence[ModuleTally], *, now: datetime
) -> None:
    if not modules:
        return
    written = [
        {
            "module_id": str(each.module_id),
            "status": (
                ProgressStatus.COMPLETED if each.is_finished else ProgressStatus.IN_PROGRESS
            ).value,
            "percent": each.percent,
        }
        for each in modules
    ]
    session.execute(_WRITE, {"user_id": user_id, "written": json.dumps(written), "now": now})


def _record_module(
    session: Session,
    enrolled: Row[Any],
    module: ModuleTally,
    following: ModuleTally | None,
    percent: int,
    *,
    now: datetime,
) -> None:
    """The facts of a completed module; lifecycle/modules.py makes a mail of the event."""
    record_event(
        session,
        "module_completed",
        now=now,
        user_id=enrolled.user_id,
        module_id=str(module.module_id),
        module_title=module.title,
        course_id=str(enrolled.course_id),
        course_title=enrolled.title,
        course_slug=enrolled.slug,
        course_percent=percent,
        next_module_title=None if following is None else following.title,
    )
    record_activity(
        session,
        enrolled.user_id,
        "module.completed",
        f"Completed {module.title}",
        now=now,
        module_id=str(module.module_id),
        course_slug=enrolled.slug,
    )


def _notice(enrolled: Row[Any], module: ModuleTally, percent: int) -> Notice:
    return Notice(
        user_id=enrolled.user_id,
        type=NotificationType.MODULE_COMPLETED,
        reference=str(module.module_id),
        title=f"Module completed: {module.title}",
        message=f"You are {percent} % through {enrolled.title}.",
        link=page_url("", "course", enrolled.slug),
        data={"module_id": str(module.module_id), "course_slug": enrolled.slug},
    )


def _complete_course(session: Session, enrolled: Row[Any], *, now: datetime) -> None:
    session.execute(
        update(Enrollment)
        .where(Enrollment.id == enrolled.id)
        .values(status=EnrollmentStatus.COMPLETED, completed_at=now, updated_at=now)
    )
    record_activity(
        session,
        enrolled.user_id,
        "course.completed",
        f"Completed {enrolled.title}",
        now=now,
        course_id=str(enrolled.course_id),
        course_slug=enrolled.slug,
    )
    certificates.issue(session, enrolled.user_id, enrolled.course_id, now=now)
