"""A learner's own notes and bookmarks."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from tests.support import learning


def add(person: Any, lesson: Any, **body: Any) -> Any:
    return person.post(f"/api/lessons/{lesson}/notes", json=body)


def bodies(person: Any, lesson: Any, query: str = "") -> list[str]:
    found = person.get(f"/api/lessons/{lesson}/notes{query}").json()["items"]
    return [each["body"] for each in found]


def test_notes_are_kept_newest_first_page_by_page(learner: Any) -> None:
    lesson = learning.a_course(1).lessons[0][0]
    for number in range(5):
        assert add(learner, lesson, body=f"Note {number}").status_code == 201
    assert bodies(learner, lesson) == [f"Note {number}" for number in (4, 3, 2, 1, 0)]
    first = learner.get(f"/api/lessons/{lesson}/notes?limit=2").json()
    rest = bodies(learner, lesson, f"?cursor={first['next_cursor']}")
    assert [each["body"] for each in first["items"]] + rest == bodies(learner, lesson)
    assert learner.get(f"/api/lessons/{lesson}").json()["notes"] == 5


def test_a_bookmark_may_say_nothing_and_a_note_may_not(learner: Any) -> None:
    lesson = learning.a_course(1).lessons[0][0]
    mark = add(learner, lesson, kind="BOOKMARK", position_seconds=73)
    assert (mark.status_code, mark.json()["position_seconds"]) == (201, 73)
    for body in ({}, {"body": "  "}, {"body": "", "position_seconds": 5}):
        refused = add(learner, lesson, **body)
        assert refused.status_code == 422
        assert refused.json()["errors"][0]["field"] == "body"
    for body in ({"body": "x" * 5_001}, {"body": "x", "position_seconds": -1}, {"text": "x"}):
        assert add(learner, lesson, **body).status_code == 422


def test_a_note_is_changed_in_part_and_thrown_away(learner: Any) -> None:
    lesson = learning.a_course(1).lessons[0][0]
    note = add(learner, lesson, body="First", position_seconds=9).json()
    path = f"/api/notes/{note['id']}"
    changed = learner.patch(path, json={"body": "Second"}).json()
    assert (changed["body"], changed["position_seconds"]) == ("Second", 9)
    assert learner.patch(path, json={"position_seconds": None}).json()["position_seconds"] is None
    assert learner.patch(path, json={"body": " "}).status_code == 422
    assert bodies(learner, lesson) == ["Second"]
    assert learner.delete(path).status_code == 204
    gone = learner.delete(path)
    assert (gone.status_code, gone.json()["code"]) == (404, "note_not_found")


def test_notes_of_others_are_not_there(learner: Any, other_learner: Any) -> None:
    lesson = learning.a_course(1).lessons[0][0]
    note = add(learner, lesson, body="Mine").json()
    assert bodies(other_learner, lesson) == []
    assert other_learner.get(f"/api/lessons/{lesson}").json()["notes"] == 0
    for answer in (
        other_learner.patch(f"/api/notes/{note['id']}", json={"body": "Not yours"}),
        other_learner.delete(f"/api/notes/{note['id']}"),
        learner.patch(f"/api/notes/{uuid4()}", json={"body": "Nobody's"}),
    ):
        assert (answer.status_code, answer.json()["code"]) == (404, "note_not_found")
    assert bodies(learner, lesson) == ["Mine"]


def test_notes_stay_when_access_ends_and_none_are_added(learner: Any) -> None:
    lesson = learning.a_course(1).lessons[0][0]
    note = add(learner, lesson, body="Mine").json()
    learning.nothing_is_free()
    assert add(learner, lesson, body="More").status_code == 402
    assert bodies(learner, lesson) == ["Mine"]
    changed = learner.patch(f"/api/notes/{note['id']}", json={"body": "Still mine"})
    assert changed.status_code == 200


def test_there_is_an_end_to_notes(learner: Any, monkeypatch: Any) -> None:
    from studypack.courses import notes

    monkeypatch.setattr(notes, "MAX_NOTES", 2)
    lesson = learning.a_course(1).lessons[0][0]
    for _ in range(2):
        assert add(learner, lesson, body="x").status_code == 201
    refused = add(learner, lesson, body="x")
    assert (refused.status_code, refused.json()["code"]) == (409, "too_many_notes")
