"""A course's taxonomy of topics, as authors grow and prune the tree."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.orm import Session, aliased

from studypack.core.errors import Conflict, FieldError, Unprocessable
from studypack.core.paging import PageParams
from studypack.courses.authoring import editing, ordering
from studypack.courses.authoring.slugs import free_slug, slug_of
from studypack.courses.models import Course, Topic


@dataclass(frozen=True)
class TopicView:
    """A topic in its tree."""

    topic: Topic
    depth: int
    """0: uppermost."""


def list_of(session: Session, course_id: UUID, page: PageParams) -> list[TopicView]:
    """A course's topics as the tree is read (each before what is below it), one more than the page
    shows; one statement.

    Raises NotFound (`course_not_found`).
    """
    rows = session.execute(
        select(Course.id, Topic)
        .outerjoin(Topic, Topic.course_id == Course.id)
        .where(Course.id == course_id, Course.deleted_at.is_(None))
    ).all()
    if not rows:
        raise editing.not_found("course")
    tree = in_tree_order([row[1] for row in rows if row[1] is not None])
    begin = 0
    if page.after is not None:
        places = {view.topic.id: place for place, view in enumerate(tree)}
        begin = places.get(page.after, len(tree)) + 1
    return tree[begin : begin + page.limit + 1]


def get(session: Session, topic_id: UUID) -> TopicView:
    """One topic. Raises NotFound (`topic_not_found`)."""
    wanted = aliased(Topic)
    course = session.scalars(
        select(Topic)
        .join(wanted, wanted.course_id == Topic.course_id)
        .join(Course, Course.id == Topic.course_id)
        .where(wanted.id == topic_id, Course.deleted_at.is_(None))
        .execution_options(populate_existing=True)
    ).all()
    for view in in_tree_order(course):
        if view.topic.id == topic_id:
            return view
    raise editing.not_found("topic")


def create(
    session: Session, course_id: UUID, fields: Mapping[str, Any], *, by: UUID | None
) -> UUID:
    """Add a topic after its siblings. `fields`: columns by name; without `slug` it is made of the
    name.

    Raises NotFound (`course_not_found`), Conflict (`slug_taken`, `too_many`), Unprocessable
    (`parent_id`).
    """
    editing.lock_course(session, course_id)
    given = dict(fields)
    parent_id = given.get("parent_id")
    if parent_id is not None:
        _check_parent(session, parent_id, course_id)
    siblings = ordering.topics_below(session, course_id, parent_id)
    ordering.check_room(siblings)
    if given.get("slug") is None:
        taken = session.scalars(select(Topic.slug).where(Topic.course_id == course_id)).all()
        given["slug"] = free_slug(slug_of(given["name"], otherwise="topic"), taken)
    topic = Topic(course_id=course_id, position=len(siblings), **given)
    session.add(topic)
    with editing.names_may_be_taken():
        session.flush()
    ordering.place(session, Topic, [*siblings, topic.id])
    editing.record(session, "topic.created", topic, by=by, name=topic.name)
    session.flush()
    return topic.id


def change(
    session: Session,
    topic_id: UUID,
    changes: Mapping[str, Any],
    *,
    seen_at: datetime,
    by: UUID | None,
) -> None:
    """Change columns of a topic; a new `parent_id` (None: uppermost) takes it, with all below it,
    to the end there.

    `seen_at`: the `updated_at` of the state that the author looked at. Raises NotFound
    (`topic_not_found`), Conflict (`changed_meanwhile`, `slug_taken`, `too_many`), Unprocessable
    (`parent_id`: unknown, or below the topic itself).
    """
    course = editing.lock_course_of_topic(session, topic_id)
    topic = editing.lock_topic(session, topic_id)
    editing.check_seen(topic, seen_at, "topic")
    given = dict(changes)
    parent_id = given.pop("parent_id", topic.parent_id)
    told = editing.apply(topic, given)
    with editing.names_may_be_taken():
        session.flush()
    if parent_id != topic.parent_id:
        told["parent_id"] = {"old": _told(topic.parent_id), "new": _told(parent_id)}
        editing.touch(topic)
        _rehang(session, topic, parent_id, ordering.MOST_SIBLINGS, course_id=course.id)
    if told:
        editing.record(session, "topic.changed", topic, by=by, changes=told)
        session.flush()


def move(
    session: Session,
    topic_id: UUID,
    position: int,
    *,
    parent_id: UUID | Literal["same"] | None,
    by: UUID | None,
) -> None:
    """Put a topic, with all below it, at a place (from 0; beyond the end: last) below the same or
    another topic of its course, or (None) among the uppermost.

    Raises NotFound (`topic_not_found`), Conflict (`too_many`), Unprocessable (`parent_id`: unknown,
    or below the topic itself).
    """
    course = editing.lock_course_of_topic(session, topic_id)
    topic = editing.lock_topic(session, topic_id)
    old_parent = topic.parent_id
    if parent_id == "same":
        parent_id = old_parent
    before = ordering.topics_below(session, course.id, old_parent)
    old = before.index(topic_id)
    if parent_id == old_parent:
        after = ordering.moved(before, topic_id, position)
        ordering.place(session, Topic, after)
    else:
        after = _rehang(session, topic, parent_id, position, course_id=course.id)
    if parent_id != old_parent or after != before:
        editing.record(
            session,
            "topic.moved",
            topic,
            by=by,
            old={"parent_id": _told(old_parent), "position": old},
            new={"parent_id": _told(parent_id), "position": after.index(topic_id)},
        )
    session.flush()


def lock_for_removal(session: Session, topic_id: UUID) -> Topic:
    """A topic locked so that nothing can begin to point to it; then whoever stands above looks
    whether something does.

    Raises NotFound (`topic_not_found`), Conflict (`topic_has_children`) naming how many.
    """
    course = editing.lock_course_of_topic(session, topic_id)
    topic = editing.lock_topic(session, topic_id)
    session.execute(select(Topic.id).where(Topic.id == topic_id).with_for_update())
    below = len(ordering.topics_below(session, course.id, topic_id))
    if below:
        raise Conflict(
            f"{below} topics are below it: move or delete them first.",
            code="topic_has_children",
            topics=below,
        )
    return topic


def remove(session: Session, topic: Topic, *, by: UUID | None) -> None:
    """Delete a topic that `lock_for_removal` gave; lessons of it have none then."""
    editing.record(session, "topic.deleted", topic, by=by, name=topic.name)
    course_id, parent_id = topic.course_id, topic.parent_id
    session.delete(topic)
    session.flush()
    ordering.place(session, Topic, ordering.topics_below(session, course_id, parent_id))


def in_tree_order(topics: Sequence[Topic]) -> list[TopicView]:
    """Topics of one course, each before what is below it, siblings by their places. Pure."""
    below: dict[UUID | None, list[Topic]] = {}
    for topic in topics:
        below.setdefault(topic.parent_id, []).append(topic)
    for siblings in below.values():
        siblings.sort(key=lambda topic: (topic.position, topic.id), reverse=True)
    found: list[TopicView] = []
    waiting = [TopicView(topic, 0) for topic in below.get(None, [])]
    while waiting:
        view = waiting.pop()
        found.append(view)
        waiting += [TopicView(topic, view.depth + 1) for topic in below.get(view.topic.id, [])]
    return found


def _rehang(
    session: Session, topic: Topic, parent_id: UUID | None, position: int, *, course_id: UUID
) -> list[UUID]:
    """Take a topic to another parent, close its gap, and return its new siblings' order."""
    if parent_id is not None:
        _check_parent(session, parent_id, course_id, moving=topic)
    old_parent = topic.parent_id
    siblings = ordering.topics_below(session, course_id, parent_id)
    ordering.check_room(siblings)
    after = ordering.moved(siblings, topic.id, position)
    topic.parent_id = parent_id
    session.flush()
    ordering.place(session, Topic, after)
    ordering.place(session, Topic, ordering.topics_below(session, course_id, old_parent))
    return after


def _check_parent(
    session: Session, parent_id: UUID, course_id: UUID, *, moving: Topic | None = None
) -> None:
    """The course's lock is held: nobody else changes its tree meanwhile."""
    found = session.scalar(
        select(Topic.id).where(Topic.id == parent_id, Topic.course_id == course_id)
    )
    if found is None:
        raise Unprocessable.field("parent_id", "The course has no such topic.", code="unknown")
    if moving is None:
        return
    upwards = _ancestors(session, parent_id)
    if moving.id in (each for each, _slug in upwards):
        path = [slug for each, slug in reversed(upwards)]
        path = [*path[path.index(moving.slug) :], moving.slug]
        told = f"That would be a circle: {' → '.join(path)}."
        raise Unprocessable(
            told,
            code="topic_cycle",
            errors=[FieldError("parent_id", "cycle", told)],
            path=path,
        )


_ANCESTORS = text(
    """
    WITH RECURSIVE upwards (id, slug, parent_id, height) AS (
        SELECT id, slug, parent_id, 0 FROM learning.topics WHERE id = :id
        UNION ALL
        SELECT t.id, t.slug, t.parent_id, u.height + 1
          FROM upwards u JOIN learning.topics t ON t.id = u.parent_id
    ) CYCLE id SET is_circle USING path
    SELECT id, slug FROM upwards ORDER BY height
    """
)


def _ancestors(session: Session, topic_id: UUID) -> list[tuple[UUID, str]]:
    """A topic and those above it, upwards."""
    return [(row.id, row.slug) for row in session.execute(_ANCESTORS, {"id": topic_id})]


def _told(topic_id: UUID | None) -> str | None:
    return str(topic_id) if topic_id else None
