from __future__ import annotations

from pathlib import Path

import pytest

from local.content_files import COURSES, in_order, read_course
from local.course_files import FolderFiles, export_folder, import_folder, main
from studypack.admin.course_files import reading
from studypack.admin.course_files.comparing import differences
from studypack.admin.course_files.files import media_key
from studypack.admin.course_files.tree import read_folder, write_folder
from tests.support.course_folder import course, edited

PYTHON = "python-programming"


@pytest.mark.usefixtures("database_url")
def test_a_course_is_exported_into_a_folder_that_can_be_imported(tmp_path: Path) -> None:
    lines: list[str] = []
    folder = tmp_path / "copy"

    assert export_folder(PYTHON, folder, lines.append) == 0
    assert import_folder(folder, lines.append) == 0

    assert lines[0].startswith(f"{PYTHON}: ")
    assert lines[1] == f"{PYTHON}: 0 questions created, 0 changed, 43 unchanged"
    exported = reading.read_course(read_folder(folder))
    names = differences(read_course(COURSES / PYTHON), exported)
    # The seed had no bucket to put lessons' files into, so they are not the course's there.
    assert names
    assert all("assets" in name for name in names)


def test_the_sample_folders_give_pictures_by_name_and_nothing_else() -> None:
    files = FolderFiles()
    picture = next((COURSES / PYTHON / "media").iterdir())
    assert files.read(media_key(PYTHON, picture.name)) == picture.read_bytes()
    assert files.read(media_key(PYTHON, "missing.svg")) is None
    assert files.read("lessons/a/ffffffffffffffff/b.csv") is None
    assert files.read("elsewhere/a") is None


def test_courses_come_after_those_that_they_ask_for() -> None:
    first = reading.read_course(edited(course(), "course.yaml", prerequisites=["ropes"]))
    second = reading.read_course(edited(course(), "course.yaml", slug="ropes"))
    assert list(in_order({"a": first, "b": second})) == ["b", "a"]
    circle = reading.read_course(
        edited(course(), "course.yaml", slug="ropes", prerequisites=["knots"])
    )
    assert set(in_order({"a": first, "b": circle})) == {"a", "b"}, "the import refuses it"


def test_mistakes_are_printed_by_file_and_end_the_command(
    tmp_path: Path, database_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    write_folder(edited(course(), "course.yaml", nonsense=1), tmp_path / "knots")
    assert main(["import", str(tmp_path / "knots")]) == 1
    assert "course.yaml: nonsense" in capsys.readouterr().err
