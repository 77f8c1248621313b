from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

import pytest

from tests.support import bank
from tests.support.accounts import fields
from tests.support.authoring import a_course, a_lesson, a_module, a_published_course, a_topic
from tests.support.concurrency import meeting_at

PATH = "/api/admin/lessons"
HELLO = {
    "type": "doc",
    "content": [
        {"type": "heading", "attrs": {"level": 2}, "content": [{"type": "text", "text": "Hello"}]},
        {"type": "paragraph", "content": [{"type": "text", "text": "Warp <and> weft."}]},
    ],
}


def create(admin: Any, module: UUID, **other: Any) -> dict[str, Any]:
    answer = post(admin, module, **other)
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


def post(admin: Any, module: UUID, **other: Any) -> Any:
    body = {"title": "Warp", "kind": "ARTICLE", **other}
    return admin.post(f"/api/admin/modules/{module}/lessons", json=body)


def change(admin: Any, made: dict[str, Any], **changes: Any) -> Any:
    body = {"updated_at": made["updated_at"], **changes}
    return admin.patch(f"{PATH}/{made['id']}", json=body)


def get(admin: Any, lesson: Any) -> dict[str, Any]:
    found: dict[str, Any] = admin.get(f"{PATH}/{lesson}").json()
    return found


def time(document: dict[str, Any]) -> datetime:
    return datetime.fromisoformat(document["updated_at"])


def listed(admin: Any, module: UUID) -> list[tuple[str, int]]:
    items = admin.get(f"/api/admin/modules/{module}/lessons").json()["items"]
    return [(item["slug"], item["position"]) for item in items]


def acts(action: str) -> list[Any]:
    return bank.rows(
        "SELECT actor_id, subject_id, details FROM auth.audit_log WHERE action = :a", a=action
    )


def test_a_new_lesson_comes_last_with_a_preview_of_its_content(admin: Any) -> None:
    course = a_course()
    module = a_module(course)
    a_lesson(module, title="First")

    made = create(admin, module, content=HELLO, is_free=True, estimated_minutes=5)

    assert (made["course_id"], made["module_id"]) == (str(course), str(module))
    assert (made["slug"], made["position"], made["published"]) == ("warp", 1, False)
    assert made["content"] == HELLO
    assert "<h2" in made["html"]
    assert "Warp &lt;and&gt; weft." in made["html"]
    assert get(admin, made["id"]) == made
    assert "weft" in bank.value("SELECT body_text FROM learning.lessons WHERE slug = 'warp'")
    [act] = acts("lesson.created")
    assert (str(act.actor_id), act.details["kind"]) == (str(admin.id), "ARTICLE")


def test_markdown_is_kept_as_it_was_written(admin: Any) -> None:
    source = "    print('four spaces')\n\nSome *words*.\n"

    made = create(admin, a_module(a_course()), content_markdown=source)

    assert (made["content_markdown"], made["content"]) == (source, None)
    assert "<em>words</em>" in made["html"]


def test_a_preview_shows_the_courses_pictures(admin: Any) -> None:
    course = a_course()
    slug = bank.value("SELECT slug FROM learning.courses WHERE id = :id", id=course)

    made = create(admin, a_module(course), content_markdown="![A loom](media/loom.svg)")

    assert f'src="/media/{slug}/loom.svg"' in made["html"]


@pytest.mark.parametrize(
    ("spoilt", "named"),
    [
        ({"title": ""}, "title"),
        ({"kind": "POEM"}, "kind"),
        ({"kind": None}, "kind"),
        ({"estimated_minutes": 0}, "estimated_minutes"),
        ({"topic_id": str(uuid4())}, "topic_id"),
        ({"content": "text"}, "content"),
        ({"content": {}}, "content"),
        ({"content": {"type": "doc", "content": [{"type": "script"}]}}, "content.content.0.type"),
        ({"published": True}, "published"),
        ({"mux_asset_id": "x"}, "mux_asset_id"),
    ],
)
def test_what_does_not_fit_is_named_and_nothing_is_made(
    spoilt: dict[str, Any], named: str, admin: Any
) -> None:
    module = a_module(a_course())

    answer = post(admin, module, **spoilt)

    assert answer.status_code == 422, answer.text
    assert fields(answer)[0][0].startswith(named)
    assert listed(admin, module) == []


def test_content_is_a_document_or_markdown(admin: Any) -> None:
    answer = post(admin, a_module(a_course()), content=HELLO, content_markdown="x")

    assert answer.status_code == 422
    assert fields(answer) == [("content_markdown", "two_contents")]


def test_the_topic_is_of_the_same_course(admin: Any) -> None:
    course, other = a_course(), a_course()
    module, mine, anothers = a_module(course), a_topic(course), a_topic(other)

    made = create(admin, module, topic_id=str(mine))

    assert made["topic_id"] == str(mine)
    assert fields(post(admin, module, topic_id=str(anothers))) == [("topic_id", "unknown")]
    assert fields(change(admin, made, topic_id=str(anothers))) == [("topic_id", "unknown")]
    assert change(admin, made, topic_id=None).json()["topic_id"] is None


def test_new_content_takes_the_place_of_the_old_whichever_it_was(admin: Any) -> None:
    made = create(admin, a_module(a_course()), content=HELLO)

    second = change(admin, made, content_markdown="Plain words").json()
    assert (second["content"], second["content_markdown"]) == (None, "Plain words")
    assert bank.value("SELECT body_text FROM learning.lessons WHERE slug = 'warp'") == "Plain words"

    third = change(admin, second, content=HELLO, content_markdown=None).json()
    assert (third["content"], third["content_markdown"]) == (HELLO, None)

    renamed = change(admin, third, title="Weft").json()
    assert (renamed["content"], renamed["slug"]) == (HELLO, "warp")

    empty = change(admin, renamed, content=None).json()
    assert (empty["content"], empty["html"]) == (None, "")
    told = [act.details["changes"] for act in acts("lesson.changed")]
    assert "body_text" not in {name for each in told for name in each}
    assert set(told[0]) == {"content", "content_markdown"}


def test_a_change_of_what_somebody_changed_since_is_refused(admin: Any) -> None:
    made = create(admin, a_module(a_course()))
    change(admin, made, summary="First")

    answer = change(admin, made, summary="Second")

    assert (answer.status_code, answer.json()["code"]) == (409, "changed_meanwhile")
    current = get(admin, made["id"])
    assert current["summary"] == "First"
    assert time(answer.json()) == time(current)


@pytest.mark.usefixtures("wide_pool")
def test_of_changes_at_once_one_is_made(admin: Any) -> None:
    made = create(admin, a_module(a_course()))

    answers = meeting_at(
        "SELECT 1 FROM learning.lessons WHERE id = :id FOR UPDATE",
        [lambda n=n: change(admin, made, summary=str(n)) for n in range(3)],
        id=made["id"],
    )

    assert sorted(answer.status_code for answer in answers) == [200, 409, 409]
    assert len(acts("lesson.changed")) == 1


@pytest.mark.parametrize("kind", ["ARTICLE", "CODE_EXAMPLE", "INTERACTIVE"])
def test_a_text_is_published_with_content_alone(kind: str, admin: Any) -> None:
    module = a_module(a_course())
    made = create(admin, module, kind=kind)

    refused = admin.post(f"{PATH}/{made['id']}/publish")
    assert (refused.status_code, refused.json()["code"]) == (422, "not_ready")
    assert fields(refused) == [("content", "content_missing")]

    blank = change(admin, made, content={"type": "doc", "content": [{"type": "paragraph"}]}).json()
    assert admin.post(f"{PATH}/{made['id']}/publish").status_code == 422

    change(admin, blank, content=HELLO)
    assert admin.post(f"{PATH}/{made['id']}/publish").json()["published"] is True


@pytest.mark.parametrize(
    "content",
    [
        {"content_markdown": "![](https://example.com/a.png)"},
        {
            "content": {
                "type": "doc",
                "content": [{"type": "image", "attrs": {"src": "https://example.com/a.png"}}],
            }
        },
    ],
)
def test_a_picture_is_content(content: dict[str, Any], admin: Any) -> None:
    made = create(admin, a_module(a_course()), **content)

    assert admin.post(f"{PATH}/{made['id']}/publish").status_code == 200


def test_a_video_lesson_waits_for_its_video(admin: Any) -> None:
    made = create(admin, a_module(a_course()), kind="VIDEO", content=HELLO)
    for status in (None, "UPLOADING", "PROCESSING", "ERRORED"):
        bank.execute(
            "UPDATE learning.lessons SET video_status = :status WHERE slug = 'warp'", status=status
        )
        refused = admin.post(f"{PATH}/{made['id']}/publish")
        assert fields(refused) == [("video", "video_not_ready")], status

    bank.execute(
        "UPDATE learning.lessons SET video_status = 'READY', mux_playback_id = 'p',"
        " duration_seconds = 90 WHERE slug = 'warp'"
    )
    done = admin.post(f"{PATH}/{made['id']}/publish").json()
    assert (done["published"], done["video_status"], done["duration_seconds"]) == (
        True,
        "READY",
        90,
    )


def test_a_pdf_lesson_waits_for_a_pdf_that_has_arrived(admin: Any) -> None:
    made = create(admin, a_module(a_course()), kind="PDF", content=HELLO)

    def asset(status: str, mime_type: str) -> None:
        bank.execute(
            "INSERT INTO learning.assets (id, lesson_id, title, file_name, storage_key, file_size,"
            " mime_type, status) VALUES (gen_random_uuid(), :lesson, 'x', 'x', :key, 1, :mime,"
            " :status)",
            lesson=made["id"],
            key=str(uuid4()),
            mime=mime_type,
            status=status,
        )

    asset("PENDING", "application/pdf")
    asset("READY", "application/zip")
    refused = admin.post(f"{PATH}/{made['id']}/publish")
    assert fields(refused) == [("assets", "pdf_missing")]

    asset("READY", "application/pdf")
    assert admin.post(f"{PATH}/{made['id']}/publish").status_code == 200


def test_a_published_lesson_cannot_lose_what_publishing_asks_for(admin: Any) -> None:
    _course, _module, lesson = a_published_course()
    made = get(admin, lesson)

    empty = change(admin, made, content_markdown=None)
    assert (empty.status_code, empty.json()["code"]) == (422, "not_ready")
    assert fields(change(admin, made, kind="VIDEO")) == [("video", "video_not_ready")]
    assert get(admin, lesson) == made

    admin.post(f"{PATH}/{lesson}/unpublish")
    assert change(admin, get(admin, lesson), content_markdown=None).status_code == 200


def test_a_lesson_is_published_and_taken_back_each_once(admin: Any) -> None:
    _course, _module, lesson = a_published_course()
    back = admin.post(f"{PATH}/{lesson}/unpublish").json()
    assert back["published"] is False
    assert admin.post(f"{PATH}/{lesson}/unpublish").json() == back

    forth = admin.post(f"{PATH}/{lesson}/publish").json()
    assert (forth["published"], forth["updated_at"] > back["updated_at"]) == (True, True)
    assert admin.post(f"{PATH}/{lesson}/publish").json() == forth
    assert (len(acts("lesson.published")), len(acts("lesson.unpublished"))) == (1, 1)


def test_a_lesson_moves_within_its_module_and_into_another_of_its_course(
    admin: Any, learner: Any
) -> None:
    course = a_course()
    here, there = a_module(course), a_module(course)
    first, second, third = (a_lesson(here, title=f"Lesson {n}") for n in "abc")
    a_lesson(there, title="Other")
    for lesson in (first, second):
        bank.execute(
            "INSERT INTO learning.item_completions (user_id, item_id, kind, module_id)"
            " VALUES (:user, :lesson, 'LESSON', :module)",
            user=learner.id,
            lesson=lesson,
            module=here,
        )

    assert admin.post(f"{PATH}/{third}/move", json={"position": 0}).json()["position"] == 0
    assert listed(admin, here) == [("lesson-c", 0), ("lesson-a", 1), ("lesson-b", 2)]

    moved = admin.post(f"{PATH}/{first}/move", json={"position": 0, "module_id": str(there)})
    assert (moved.status_code, moved.json()["module_id"]) == (200, str(there))
    assert listed(admin, here) == [("lesson-c", 0), ("lesson-b", 1)]
    assert listed(admin, there) == [("lesson-a", 0), ("other", 1)]
    completed = bank.rows("SELECT item_id, module_id FROM learning.item_completions")
    assert {row.item_id: row.module_id for row in completed} == {first: there, second: here}
    assert [act.details["new"] for act in acts("lesson.moved")] == [
        {"module_id": str(here), "position": 0},
        {"module_id": str(there), "position": 0},
    ]


def test_a_lesson_does_not_leave_its_course_nor_take_a_taken_slug_along(admin: Any) -> None:
    course, other = a_course(), a_course()
    here, there, elsewhere = a_module(course), a_module(course), a_module(other)
    lesson = a_lesson(here)
    a_lesson(there)
    deleted = a_module(course)
    admin.delete(f"/api/admin/modules/{deleted}")

    for module in (elsewhere, deleted, uuid4()):
        answer = admin.post(f"{PATH}/{lesson}/move", json={"position": 0, "module_id": str(module)})
        assert (answer.status_code, fields(answer)) == (422, [("module_id", "unknown")])
    taken = admin.post(f"{PATH}/{lesson}/move", json={"position": 0, "module_id": str(there)})
    assert (taken.status_code, taken.json()["code"]) == (409, "slug_taken")
    assert listed(admin, here) == [("a-lesson", 0)]
    assert listed(admin, there) == [("a-lesson", 0)]


def test_deleting_a_lesson_closes_its_gap_and_keeps_what_learners_did(
    admin: Any, learner: Any
) -> None:
    _course, module, lesson = a_published_course()
    a_lesson(module, title="Second")
    bank.execute(
        "INSERT INTO learning.lesson_progress (id, user_id, lesson_id, completed, completed_at)"
        " VALUES (gen_random_uuid(), :user, :lesson, true, now())",
        user=learner.id,
        lesson=lesson,
    )

    assert admin.delete(f"{PATH}/{lesson}").status_code == 204

    assert listed(admin, module) == [("second", 0)]
    assert bank.value("SELECT count(*) FROM learning.lesson_progress WHERE completed") == 1
    for method, path in (
        ("GET", ""),
        ("DELETE", ""),
        ("POST", "/publish"),
        ("POST", "/unpublish"),
    ):
        answer = admin.request(method, f"{PATH}/{lesson}{path}")
        assert (answer.status_code, answer.json()["code"]) == (404, "lesson_not_found")
    assert create(admin, module, title="A lesson")["slug"] == "a-lesson"


def test_the_list_is_read_in_pages_without_content_by_one_statement_each(
    admin: Any, statements: Callable[[], list[str]]
) -> None:
    module = a_module(a_course())
    made = [str(a_lesson(module, title=f"Lesson {n}")) for n in range(5)]
    statements()

    first = admin.get(f"/api/admin/modules/{module}/lessons", params={"limit": 3}).json()
    sent = statements()
    assert len(sent) == 2
    assert "content_markdown" not in sent[1]
    query = {"limit": 3, "cursor": first["next_cursor"]}
    second = admin.get(f"/api/admin/modules/{module}/lessons", params=query).json()

    assert [item["id"] for item in (*first["items"], *second["items"])] == made
    assert second["next_cursor"] is None
    assert "content" not in first["items"][0]
    assert admin.get(f"/api/admin/modules/{uuid4()}/lessons").status_code == 404


def test_a_lesson_is_read_and_changed_by_few_statements(
    admin: Any, statements: Callable[[], list[str]]
) -> None:
    made = create(admin, a_module(a_course()))
    statements()

    get(admin, made["id"])
    assert len(statements()) == 2  # the caller, the lesson

    change(admin, made, summary="x")
    # The caller, the lock, the change, the audit entry, the lesson.
    assert len(statements()) == 5
