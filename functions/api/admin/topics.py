"""A course's topics, for its authors."""

from __future__ import annotations

from uuid import UUID

from fastapi import APIRouter

from api.admin.course_schemas import AdminTopicOut, TopicIn, TopicMove, TopicPatch
from studypack.access.guards import AdminUser
from studypack.admin import topics as removal
from studypack.core.http import DbSession, Page, Paging, page_of
from studypack.courses.authoring import topics

router = APIRouter()


@router.get("/courses/{course_id}/topics")
def list_topics(
    course_id: UUID, _caller: AdminUser, session: DbSession, paging: Paging
) -> Page[AdminTopicOut]:
    """A course's topics as a tree is read: each before what is below it."""
    found = topics.list_of(session, course_id, paging)
    return page_of(found, paging, key=lambda view: view.topic.id, out=AdminTopicOut.of)


@router.post("/courses/{course_id}/topics", status_code=201)
def create_topic(
    course_id: UUID, body: TopicIn, caller: AdminUser, session: DbSession
) -> AdminTopicOut:
    """Add a topic after its siblings. 409 `slug_taken`."""
    topic_id = topics.create(session, course_id, body.model_dump(), by=caller.id)
    return AdminTopicOut.of(topics.get(session, topic_id))


@router.get("/topics/{topic_id}")
def get_topic(topic_id: UUID, _caller: AdminUser, session: DbSession) -> AdminTopicOut:
    """One topic."""
    return AdminTopicOut.of(topics.get(session, topic_id))


@router.patch("/topics/{topic_id}")
def change_topic(
    topic_id: UUID, body: TopicPatch, caller: AdminUser, session: DbSession
) -> AdminTopicOut:
    """Change a topic. 409 `changed_meanwhile` when somebody changed it since; 422 `topic_cycle`
    when its new parent is below it.
    """
    topics.change(session, topic_id, body.changes(), seen_at=body.updated_at, by=caller.id)
    return AdminTopicOut.of(topics.get(session, topic_id))


@router.delete("/topics/{topic_id}", status_code=204)
def delete_topic(topic_id: UUID, caller: AdminUser, session: DbSession) -> None:
    """Delete a topic that nothing is of. 409 `topic_in_use` says how many questions are,
    `topic_has_children` how many topics are below it.
    """
    removal.remove(session, topic_id, by=caller.id)


@router.post("/topics/{topic_id}/move")
def move_topic(
    topic_id: UUID, body: TopicMove, caller: AdminUser, session: DbSession
) -> AdminTopicOut:
    """Put a topic, with all below it, at another place; its new siblings make room."""
    topics.move(
        session,
        topic_id,
        body.position,
        parent_id=body.parent_id if "parent_id" in body.model_fields_set else "same",
        by=caller.id,
    )
    return AdminTopicOut.of(topics.get(session, topic_id))
