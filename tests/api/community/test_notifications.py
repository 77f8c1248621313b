"""What is under the bell."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest

from tests.support import bank
from tests.support.inbox import tell

URL = "/api/notifications"


def test_nothing_was_told_yet(learner: Any) -> None:
    assert learner.get(URL).json() == {"items": [], "next_cursor": None, "unread": 0}


def test_the_newest_comes_first_and_the_unread_are_counted_over_all_pages(learner: Any) -> None:
    for seconds_ago, name in ((3, "a"), (2, "b"), (1, "c")):
        tell(learner.id, name)
        # Ids tell milliseconds: two facts of one are in no order.
        bank.execute(
            "UPDATE notifications.notifications"
            " SET id = public.uuid7(now() - make_interval(secs => :ago)) WHERE reference = :name",
            ago=seconds_ago,
            name=name,
        )

    first = learner.get(URL, params={"limit": 2}).json()
    second = learner.get(URL, params={"limit": 2, "cursor": first["next_cursor"]}).json()

    assert [each["title"] for each in first["items"]] == ["Exam c", "Exam b"]
    assert [each["title"] for each in second["items"]] == ["Exam a"]
    assert (first["unread"], second["unread"], second["next_cursor"]) == (3, 3, None)


def test_a_page_beyond_the_last_still_counts(learner: Any) -> None:
    tell(learner.id, "a")
    oldest = learner.get(URL).json()["items"][0]["id"]
    from uuid import UUID

    from studypack.core.paging import encode_cursor

    beyond = learner.get(URL, params={"cursor": encode_cursor(UUID(oldest))}).json()

    assert beyond == {"items": [], "next_cursor": None, "unread": 1}


def test_a_line_says_what_it_is_about(learner: Any) -> None:
    tell(learner.id, "a", link="/exams/a", data={"score": 450})

    [line] = learner.get(URL).json()["items"]

    assert line["type"] == "EXAM_SCORED"
    assert (line["link"], line["data"], line["priority"]) == ("/exams/a", {"score": 450}, "NORMAL")
    assert line["read_at"] is None


def test_the_same_fact_makes_one_line(learner: Any) -> None:
    tell(learner.id, "a", "a")
    tell(learner.id, "a")

    assert learner.get(URL).json()["unread"] == 1


def test_one_is_marked_as_read_once(learner: Any) -> None:
    tell(learner.id, "a", "b")
    chosen = learner.get(URL).json()["items"][0]["id"]

    assert learner.post(f"{URL}/{chosen}/read").json() == {"unread": 1}
    read_at = bank.value("SELECT read_at FROM notifications.notifications WHERE id = :i", i=chosen)
    assert learner.post(f"{URL}/{chosen}/read").json() == {"unread": 1}

    again = bank.value("SELECT read_at FROM notifications.notifications WHERE id = :i", i=chosen)
    assert read_at == again is not None


def test_all_are_marked_as_read_and_nobody_elses(learner: Any, other_learner: Any) -> None:
    tell(learner.id, "a", "b")
    tell(other_learner.id, "c")

    assert learner.post(f"{URL}/read-all").json() == {"unread": 0}

    assert learner.get(URL).json()["unread"] == 0
    assert all(each["read_at"] for each in learner.get(URL).json()["items"])
    assert other_learner.get(URL).json()["unread"] == 1


def test_anothers_line_does_not_exist(learner: Any, other_learner: Any) -> None:
    tell(other_learner.id, "c")
    theirs = other_learner.get(URL).json()["items"][0]["id"]

    for identifier in (theirs, str(uuid4())):
        answer = learner.post(f"{URL}/{identifier}/read")
        assert (answer.status_code, answer.json()["code"]) == (404, "notification_not_found")
    assert other_learner.get(URL).json()["unread"] == 1


@pytest.mark.parametrize("lines", [0, 1, 60])
def test_a_page_with_its_count_is_one_statement_after_the_sign_in(
    learner: Any, statements: Callable[[], list[str]], lines: int
) -> None:
    tell(learner.id, *(str(number) for number in range(lines)))
    statements()

    learner.get(URL)
    assert len(statements()) == 2
