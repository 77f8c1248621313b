"""How much XP each kind of work earns."""

from __future__ import annotations

from studypack.activity.models import XpSource

XP_AMOUNTS: dict[XpSource, int] = {
    XpSource.LESSON: 10,
    XpSource.QUIZ: 20,
    XpSource.EXAM: 50,
    XpSource.ASSIGNMENT: 30,
    XpSource.FLASHCARD: 2,
    XpSource.TUTOR: 5,
    XpSource.STUDY: 10,
}
