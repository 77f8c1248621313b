"""What counts in a module beside its lessons: quizzes and assignments, whose floors above keep
their rows here as theirs are.
"""

from __future__ import annotations

from typing import Final
from uuid import UUID

from sqlalchemy import func, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from studypack.courses.models import ItemKind, ModuleItem

_STATED: Final = ("module_id", "kind", "title", "position", "published")


def put(
    session: Session,
    item_id: UUID,
    *,
    module_id: UUID,
    kind: ItemKind,
    title: str,
    position: int,
    published: bool,
) -> None:
    """State how the quiz or assignment is now; the same again changes nothing. One statement."""
    statement = insert(ModuleItem).values(
        item_id=item_id,
        module_id=module_id,
        kind=kind,
        title=title,
        position=position,
        published=published,
    )
    stated = [getattr(statement.excluded, name) for name in _STATED]
    stored = [getattr(ModuleItem, name) for name in _STATED]
    session.execute(
        statement.on_conflict_do_update(
            index_elements=[ModuleItem.item_id],
            set_={
                **dict(zip(_STATED, stated, strict=True)),
                "updated_at": func.now(),
            },
            where=func.row(*stored).is_distinct_from(func.row(*stated)),
        )
    )


def remove(session: Session, item_id: UUID) -> None:
    """Let it count no longer; of one that never counted nothing changes. Learners who thereby have
    done all that is left are found by the job settle_progress, for which the row stays, unpublished
    and with the time of this change.
    """
    session.execute(
        update(ModuleItem)
        .where(ModuleItem.item_id == item_id, ModuleItem.published)
        .values(published=False, updated_at=func.now())
    )
