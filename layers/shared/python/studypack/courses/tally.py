"""How far somebody is: of a module, what is done of what counts; of a course, the sum of its
modules. Pure, with the SQL that counts.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Protocol
from uuid import UUID

ITEMS_OF_MODULE: Final = """
    SELECT l.id AS item_id FROM learning.lessons l
     WHERE l.module_id = m.id AND l.published AND l.deleted_at IS NULL
    UNION ALL
    SELECT i.item_id FROM learning.module_items i WHERE i.module_id = m.id AND i.published
"""
"""What counts in the module `m`: published lessons, quizzes, assignments."""

COUNT_OF_MODULE: Final = f"""
    SELECT count(*) AS items, count(d.item_id) AS done
      FROM ({ITEMS_OF_MODULE}) counting
      LEFT JOIN learning.item_completions d
             ON d.user_id = :user_id AND d.item_id = counting.item_id
"""  # noqa: S608 (our own text)
"""How many items the module `m` has, and how many of them `:user_id` has done."""


class Counted(Protocol):
    """A module with what is done of it."""

    @property
    def items(self) -> int: ...
    @property
    def done(self) -> int: ...
    @property
    def completed(self) -> bool: ...


@dataclass(frozen=True)
class ModuleTally:
    """What of a published module is done, now and as it was written down."""

    module_id: UUID
    title: str
    items: int
    done: int
    completed: bool
    """It was completed before, and stays so whatever was added since."""
    recorded_percent: int | None
    """None: not begun."""

    @property
    def is_finished(self) -> bool:
        """Everything in it is done; an empty module cannot be."""
        return self.completed or 0 < self.items == self.done

    @property
    def percent(self) -> int:
        """Of its items, rounded down."""
        return module_percent(self)


def module_percent(module: Counted) -> int:
    """Done of all, rounded down (0 to 100); a completed module is at 100."""
    if module.completed:
        return 100
    return 100 * module.done // module.items if module.items else 0


def course_percent(modules: Iterable[Counted]) -> int:
    """Done items of all items, rounded down (0 to 100). In completed modules all counts as done,
    so that 100 is reached when all modules are completed.
    """
    items = done = 0
    for module in modules:
        items += module.items
        done += module.items if module.completed else module.done
    return 100 * done // items if items else 0


def is_course_finished(modules: Iterable[ModuleTally]) -> bool:
    """Every module that has something in it is finished, and there is one."""
    counting = [module for module in modules if module.items]
    return bool(counting) and all(module.is_finished for module in counting)
