from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

import pytest

from studypack.admin.course_files.files import MemoryFiles
from studypack.admin.course_files.report import Change, CourseReport, Kind, Tally
from studypack.core.errors import Conflict, Unprocessable
from tests.support import bank
from tests.support.course_folder import (
    BENDS,
    LOOPS,
    NOW,
    QUIZ,
    SLUG,
    bring,
    course,
    edited,
    fetch,
    lesson,
    question,
    text,
    without,
)

pytestmark = pytest.mark.usefixtures("database_url")

TABLES = [
    "courses",
    "course_prerequisites",
    "topics",
    "modules",
    "lessons",
    "module_items",
    "assets",
    "quizzes",
    "quiz_questions",
    "questions",
    "question_options",
    "question_versions",
    "exam_templates",
]


def everything() -> dict[str, list[Any]]:
    """Every row of every table that an import writes, with its times."""
    return {
        table: sorted(
            (row[0] for row in bank.rows(f"SELECT to_jsonb(t) FROM learning.{table} t")), key=str
        )
        for table in TABLES
    }


def tally(report: CourseReport, kind: Kind) -> tuple[int, int, int, int]:
    counted: Tally = report.tallies[kind]
    return counted.created, counted.changed, counted.unchanged, counted.removed


def lesson_row(slug: str) -> Any:
    return bank.row(
        "SELECT l.* FROM learning.lessons l JOIN learning.modules m ON m.id = l.module_id"
        " JOIN learning.courses c ON c.id = m.course_id WHERE c.slug = :course AND l.slug = :slug",
        course=SLUG,
        slug=slug,
    )


def test_a_folder_becomes_a_course() -> None:
    report = bring(course())
    assert tally(report, Kind.LESSON) == (3, 0, 0, 0)
    assert tally(report, Kind.ASSET) == (1, 0, 0, 0)
    found = bank.row("SELECT * FROM learning.courses WHERE slug = :slug", slug=SLUG)
    assert (found.title, found.icon, found.published) == ("Knots", "🪢", True)
    modules = bank.rows(
        "SELECT slug, position, release_after_days FROM learning.modules"
        " WHERE course_id = :id ORDER BY position",
        id=found.id,
    )
    assert [tuple(row) for row in modules] == [("second", 0, 7), ("first", 1, None)]
    film = lesson_row("film")
    assert (film.video_status, film.mux_playback_id, film.is_free) == ("READY", "film-1", True)
    loops = lesson_row("loops")
    assert loops.content_markdown.startswith("# Loops\n\nA *loop*.")
    assert "loop" in loops.body_text
    assert "media/" not in loops.body_text
    quizzes = bank.rows(
        "SELECT q.slug, i.kind, i.published, i.position FROM learning.quizzes q"
        " LEFT JOIN learning.module_items i ON i.item_id = q.id WHERE q.course_id = :id"
        " ORDER BY q.slug",
        id=found.id,
    )
    assert [tuple(row) for row in quizzes] == [
        ("knots-quiz", "QUIZ", True, 0),
        ("practice", None, None, None),
    ]
    chosen = bank.rows(
        "SELECT b.source_id, q.points FROM learning.quiz_questions q"
        " JOIN learning.questions b ON b.id = q.question_id"
        " JOIN learning.quizzes z ON z.id = q.quiz_id WHERE z.slug = 'knots-quiz'"
        " ORDER BY q.position"
    )
    assert [tuple(row) for row in chosen] == [("knot-2", 1), ("knot-1", 3), ("knot-3", 1)]


def test_the_same_files_again_write_nothing() -> None:
    files = MemoryFiles()
    bring(course(), files)
    before, puts = everything(), files.puts
    report = bring(course(), files)
    assert report.is_unchanged
    assert report.changes == []
    assert everything() == before, "not even a time"
    assert files.puts == puts


def test_a_dry_run_tells_all_and_writes_nothing() -> None:
    files = MemoryFiles()
    before = everything()
    told = bring(course(), files, dry_run=True)
    assert everything() == before
    assert files.stored == {}
    done = bring(course(), files)
    assert told.tallies == done.tallies
    assert told.changes == done.changes


def test_only_what_was_edited_is_written() -> None:
    files = MemoryFiles()
    bring(course(), files)
    before = {row["slug"]: row for row in everything()["lessons"]}
    report = bring(edited(course(), LOOPS, title="Loops again"), files)
    assert report.changes == [(Kind.LESSON, LOOPS, Change.CHANGED)]
    after = {row["slug"]: row for row in everything()["lessons"]}
    assert {slug for slug in after if after[slug] != before[slug]} == {"loops"}
    assert after["loops"]["id"] == before["loops"]["id"]
    assert after["loops"]["updated_at"] != before["loops"]["updated_at"]


def test_the_order_follows_the_lists() -> None:
    bring(course())
    tree = edited(course(), "modules/first/module.yaml", lessons=["bends", "loops"])
    report = bring(edited(tree, "course.yaml", modules=["first", "second"]))
    assert tally(report, Kind.LESSON) == (0, 2, 1, 0)
    assert (lesson_row("bends").position, lesson_row("loops").position) == (0, 1)
    places = bank.rows(
        "SELECT m.slug FROM learning.modules m JOIN learning.courses c ON c.id = m.course_id"
        " WHERE c.slug = :slug ORDER BY m.position",
        slug=SLUG,
    )
    assert [row.slug for row in places] == ["first", "second"]


def learn(lesson_id: UUID, module_id: UUID) -> UUID:
    """Somebody who has completed a lesson."""
    user = uuid4()
    bank.execute(
        "INSERT INTO auth.users (id, email) VALUES (:id, :email)",
        id=user,
        email=f"{user.hex}@example.com",
    )
    bank.execute(
        "INSERT INTO learning.item_completions (user_id, item_id, kind, module_id)"
        " VALUES (:user, :lesson, 'LESSON', :module)",
        user=user,
        lesson=lesson_id,
        module=module_id,
    )
    return user


def test_a_renamed_lesson_is_a_new_one_and_comes_back_with_what_was_learned() -> None:
    bring(course())
    loops = lesson_row("loops")
    user = learn(loops.id, loops.module_id)
    renamed = "modules/first/nooses.md"
    tree = {**without(course(), LOOPS), renamed: course()[LOOPS]}
    tree = edited(tree, "modules/first/module.yaml", lessons=["nooses", "bends"])
    report = bring(tree)
    assert set(report.changes) == {
        (Kind.LESSON, renamed, Change.CREATED),
        (Kind.LESSON, LOOPS, Change.REMOVED),
        (Kind.ASSET, "modules/first/assets/table.csv", Change.CREATED),
    }
    gone = lesson_row("loops")
    assert gone.deleted_at is not None
    assert gone.position is None
    assert lesson_row("nooses").id != loops.id

    bring(course())
    back = lesson_row("loops")
    assert (back.id, back.deleted_at, back.position) == (loops.id, None, 0)
    done = bank.rows("SELECT item_id FROM learning.item_completions WHERE user_id = :u", u=user)
    assert [row.item_id for row in done] == [loops.id]


def test_a_module_that_is_gone_takes_its_lessons_and_quizzes_along_softly() -> None:
    bring(course())
    first = [path for path in course() if path.startswith("modules/first/")]
    tree = edited(without(course(), *first, "media/loop.svg"), "course.yaml", modules=["second"])
    report = bring(tree)
    assert tally(report, Kind.MODULE) == (0, 0, 1, 1)
    assert tally(report, Kind.LESSON) == (0, 0, 1, 2)
    assert tally(report, Kind.QUIZ) == (0, 0, 1, 1)
    assert bank.value("SELECT published FROM learning.module_items WHERE title = 'Knots quiz'") is (
        False
    )
    report = bring(course())
    assert tally(report, Kind.LESSON) == (2, 0, 1, 0)
    assert bring(course()).is_unchanged


def test_a_quiz_keeps_its_identity_when_it_moves() -> None:
    bring(course())
    before = bank.value("SELECT id FROM learning.quizzes WHERE slug = 'knots-quiz'")
    moved = "modules/second/knots-quiz.quiz.yaml"
    tree = {**without(course(), QUIZ), moved: course()[QUIZ]}
    tree = edited(tree, "modules/first/module.yaml", quizzes=[])
    tree = edited(tree, "modules/second/module.yaml", quizzes=["knots-quiz"])
    assert tally(bring(tree), Kind.QUIZ) == (0, 1, 1, 0)
    row = bank.row(
        "SELECT q.id, m.slug, i.module_id = m.id AS counts_there FROM learning.quizzes q"
        " JOIN learning.modules m ON m.id = q.module_id"
        " JOIN learning.module_items i ON i.item_id = q.id WHERE q.slug = 'knots-quiz'"
    )
    assert tuple(row) == (before, "second", True)


def test_questions_of_a_quiz_follow_the_file() -> None:
    bring(course())
    report = bring(edited(course(), QUIZ, questions=["knot-3", "knot-2"], question_count=None))
    assert report.changes == [(Kind.QUIZ, QUIZ, Change.CHANGED)]
    chosen = bank.rows(
        "SELECT b.source_id FROM learning.quiz_questions q"
        " JOIN learning.questions b ON b.id = q.question_id"
        " JOIN learning.quizzes z ON z.id = q.quiz_id WHERE z.slug = 'knots-quiz'"
        " ORDER BY q.position"
    )
    assert [row.source_id for row in chosen] == ["knot-3", "knot-2"]


def film(**fields: Any) -> dict[str, bytes]:
    front = {"title": "A film", "kind": "VIDEO", "free": True, **fields}
    return {**course(), "modules/second/film.md": lesson(front, "")}


def test_what_mux_brought_is_kept_where_the_files_say_nothing_of_it() -> None:
    bring(course())
    bank.execute(
        "UPDATE learning.lessons SET mux_asset_id = 'asset', mux_playback_id = 'mux',"
        ' duration_seconds = 77, captions = \'[{"track_id": "t", "language": "en"}]\''
        " WHERE slug = 'film'"
    )
    bring(film())
    kept = lesson_row("film")
    assert (kept.mux_playback_id, kept.duration_seconds, kept.mux_asset_id) == ("mux", 77, "asset")
    assert kept.captions == [{"track_id": "t", "language": "en"}]
    assert kept.transcript == "One.\n\nTwo."
    bring(film(video={"playback_id": "mux", "duration_seconds": 78}))
    assert lesson_row("film").mux_asset_id == "asset", "the same video"


def test_another_video_in_the_files_takes_the_place_of_muxs() -> None:
    bring(course())
    lesson_id = lesson_row("film").id
    bank.execute(
        "UPDATE learning.lessons SET mux_asset_id = 'asset', mux_upload_id = 'upload',"
        " mux_playback_id = 'mux' WHERE id = :id",
        id=lesson_id,
    )
    bank.execute(
        "INSERT INTO learning.video_uploads (id, lesson_id, mux_upload_id)"
        " VALUES (:id, :lesson, 'upload')",
        id=uuid4(),
        lesson=lesson_id,
    )
    captions = [{"language": "de", "name": "Deutsch"}]
    bring(film(video={"playback_id": "new", "duration_seconds": 5, "captions": captions}))
    row = lesson_row("film")
    assert (row.mux_playback_id, row.duration_seconds) == ("new", 5)
    assert (row.mux_asset_id, row.mux_upload_id) == (None, None)
    assert row.captions == captions
    dropped = bank.value(
        "SELECT dropped_at FROM learning.video_uploads WHERE lesson_id = :l", l=lesson_id
    )
    assert dropped == NOW, "Mux's events of it change nothing any more"


def test_a_video_lesson_without_a_video_cannot_be_published() -> None:
    with pytest.raises(Unprocessable) as refusal:
        bring(film())
    assert [(error.field, error.code) for error in refusal.value.errors] == [
        ("modules/second/film.md: video", "video_not_ready")
    ]
    assert bank.rows("SELECT 1 FROM learning.courses WHERE slug = :slug", slug=SLUG) == []


def test_a_lessons_file_is_stored_by_its_content_and_only_once() -> None:
    files = MemoryFiles()
    bring(course(), files)
    before = bank.row("SELECT * FROM learning.assets WHERE status = 'READY'")
    assert files.stored[before.storage_key] == b"name,turns\nbowline,2\n"
    assert (before.file_size, before.mime_type) == (21, "text/csv")
    puts = files.puts
    bring(edited(course(), LOOPS, assets=[{"file": "table.csv", "title": "New title"}]), files)
    assert files.puts == puts, "its title is no reason"
    bring({**course(), "modules/first/assets/table.csv": b"name\n"}, files)
    rows = bank.rows("SELECT * FROM learning.assets ORDER BY status")
    assert [row.status for row in rows] == ["DELETED", "READY"]
    assert rows[0].storage_key == before.storage_key, "the sweep of stored files finds it"
    assert files.stored[rows[1].storage_key] == b"name\n"
    assert rows[1].storage_key != before.storage_key


def test_a_file_that_is_lost_is_stored_again() -> None:
    files = MemoryFiles()
    bring(course(), files)
    again = MemoryFiles()
    report = bring(course(), again)
    assert report.is_unchanged
    assert again.stored == files.stored


def test_an_admins_upload_with_the_same_content_is_the_same_file() -> None:
    files = MemoryFiles()
    bring(course(), files)
    files.put("lessons/other-key.csv", b"name,turns\nbowline,2\n", mime_type="text/csv")
    bank.execute("UPDATE learning.assets SET storage_key = 'lessons/other-key.csv'")
    assert bring(course(), files).is_unchanged


def test_without_storage_files_of_lessons_are_left_out() -> None:
    from studypack.admin.course_files.reading import read_course
    from studypack.admin.course_files.service import import_course

    report = import_course(read_course(course()), files=None, by=None, now=NOW)
    assert report.assets_skipped == 1
    assert bank.value("SELECT count(*) FROM learning.assets") == 0


def test_all_that_only_the_database_knows_is_told_at_once() -> None:
    exam = {
        "slug": "python-drill",
        "title": "Taken",
        "duration_minutes": 5,
        "scoring_mode": "raw",
        "items": 1,
        "topics": [{"topic": "loops", "weight": 1}],
    }
    tree = edited(
        course(), "course.yaml", title="Python Programming", prerequisites=["no-such-course"]
    )
    tree["exams.yaml"] = text([exam])
    before = everything()
    with pytest.raises(Unprocessable) as refusal:
        bring(tree)
    assert {(error.field, error.code) for error in refusal.value.errors} == {
        ("course.yaml: title", "taken"),
        ("course.yaml: prerequisites", "unknown"),
        ("exams.yaml: python-drill", "another_course"),
    }
    assert everything() == before


def test_prerequisites_are_set_and_a_circle_of_them_is_refused() -> None:
    bring(edited(course(), "course.yaml", prerequisites=["python-programming"]))
    assert bank.value("SELECT count(*) FROM learning.course_prerequisites") == 1
    assert bring(edited(course(), "course.yaml", prerequisites=["python-programming"])).is_unchanged
    other = edited(course(), "course.yaml", slug="ropes", title="Ropes", prerequisites=[SLUG])
    for number in (1, 2, 3):
        other["questions/all.yaml"] = other["questions/all.yaml"].replace(
            f"knot-{number}".encode(), f"rope-{number}".encode()
        )
        for path in (QUIZ, "quizzes/practice.quiz.yaml"):
            other[path] = other[path].replace(f"knot-{number}".encode(), f"rope-{number}".encode())
    bring(other)
    with pytest.raises(Unprocessable) as refusal:
        bring(edited(course(), "course.yaml", prerequisites=["ropes"]))
    assert [(error.field, error.code) for error in refusal.value.errors] == [
        ("course.yaml: prerequisites", "cycle")
    ]
    bring(course())
    assert bank.value("SELECT count(*) FROM learning.course_prerequisites") == 1, "that of ropes"


def test_a_topic_goes_unless_something_hangs_from_it() -> None:
    bring(course())
    topics = [{"slug": "loops", "name": "Loops"}]
    tree = edited(course(), "course.yaml", topics=topics)
    tree["questions/all.yaml"] = text(
        [{**question(number), "topic": "loops"} for number in (1, 2, 3)]
    )
    tree = edited(tree, "quizzes/practice.quiz.yaml", topic="loops")
    report = bring(tree)
    assert tally(report, Kind.TOPIC) == (0, 0, 1, 1)

    bring(course())
    tree = edited(tree, QUIZ, questions=["knot-1", "knot-3"])
    tree["questions/all.yaml"] = text([{**question(n), "topic": "loops"} for n in (1, 3)])
    report = bring(tree)
    assert (tally(report, Kind.TOPIC)[3], report.topics_kept) == (0, 1), "a retired question"


def test_an_asset_and_a_lesson_that_are_gone_leave_the_export() -> None:
    files = MemoryFiles()
    bring(course(), files)
    front = {"title": "Loops", "topic": "loops"}
    tree = {
        **without(course(), "modules/first/assets/table.csv", BENDS, "media/loop.svg"),
        LOOPS: lesson(front, "Text."),
    }
    bring(edited(tree, "modules/first/module.yaml", lessons=["loops"]), files)
    exported = fetch(files)
    assert BENDS not in exported
    assert not [path for path in exported if "assets" in path or "media" in path]


class Watched(MemoryFiles):
    """Tells how many transactions were open whenever it was asked."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[int] = []

    def put(self, key: str, content: bytes, *, mime_type: str) -> None:
        self._look()
        super().put(key, content, mime_type=mime_type)

    def read(self, key: str) -> bytes | None:
        self._look()
        return super().read(key)

    def _look(self) -> None:
        self.open.append(
            bank.value(
                "SELECT count(*) FROM pg_stat_activity"
                " WHERE datname = current_database() AND state = 'idle in transaction'"
            )
        )


def test_no_transaction_is_open_while_storage_is_asked() -> None:
    files = Watched()
    bring(course(), files)
    bring({**course(), "media/loop.svg": b"<svg xmlns='http://www.w3.org/2000/svg'/>"}, files)
    assert len(files.open) >= 4
    assert set(files.open) == {0}


def test_an_import_that_is_refused_leaves_storage_as_it_was() -> None:
    files = MemoryFiles()
    bring(course(), files)
    before = dict(files.stored)
    tree = {
        **edited(course(), "course.yaml", prerequisites=["nowhere"]),
        "media/loop.svg": b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        "modules/first/assets/table.csv": b"name\n",
    }
    with pytest.raises(Unprocessable):
        bring(tree, files)
    assert files.stored == before


def test_a_picture_that_changed_is_shown_after_the_import() -> None:
    files = MemoryFiles()
    bring(course(), files)
    picture = b"<svg xmlns='http://www.w3.org/2000/svg'/>"
    bring({**course(), "media/loop.svg": picture}, files, dry_run=True)
    assert files.stored[f"media/{SLUG}/loop.svg"] != picture
    bring({**course(), "media/loop.svg": picture}, files)
    assert files.stored[f"media/{SLUG}/loop.svg"] == picture


def test_a_file_that_was_taken_away_meanwhile_stops_the_import() -> None:
    class Slow(MemoryFiles):
        def read(self, key: str) -> bytes | None:
            bank.execute("UPDATE learning.assets SET status = 'DELETED'")
            return super().read(key)

    files = MemoryFiles()
    bring(course(), files)
    slow = Slow()
    slow.stored = files.stored
    with pytest.raises(Conflict) as refusal:
        bring(course(), slow)
    assert refusal.value.code == "changed_meanwhile"
    assert bring(course(), files).tallies[Kind.ASSET].created == 1
