"""Files by their path within a course's folder, and the folder on a disk."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TypeAlias

from studypack.core.errors import Unprocessable

Tree: TypeAlias = Mapping[str, bytes]
"""By path with `/`, without the folder's own name; in no particular order."""


def is_ignored(path: str) -> bool:
    """What systems and editors leave: hidden files, and those of macOS's zips."""
    return any(part.startswith(".") or part in {"__MACOSX", "__pycache__"} for part in _parts(path))


def read_folder(folder: Path) -> dict[str, bytes]:
    """The files below a folder.

    Raises Unprocessable for a link, which would lead to what is not the course's.
    """
    found: dict[str, bytes] = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if is_ignored(name):
            continue
        if path.is_symlink():
            raise Unprocessable.field(name, "The file is a link.", code="link")
        if path.is_file():
            found[name] = path.read_bytes()
    return found


def write_folder(tree: Tree, folder: Path) -> int:
    """Make the folder hold these files and no others (hidden ones stay); how many changed.

    Raises Unprocessable for a folder that holds something else than a course.
    """
    if folder.is_dir() and any(folder.iterdir()) and not (folder / "course.yaml").is_file():
        raise Unprocessable.field(str(folder), "The folder holds something else than a course.")
    before = read_folder(folder) if folder.is_dir() else {}
    changed = {name for name, data in tree.items() if before.get(name) != data}
    for name in changed:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(tree[name])
    gone = before.keys() - tree.keys()
    for name in gone:
        (folder / name).unlink()
        for parent in (folder / name).relative_to(folder).parents:
            if parent.parts and not any((folder / parent).iterdir()):
                (folder / parent).rmdir()
    return len(changed) + len(gone)


def _parts(path: str) -> list[str]:
    return path.split("/")
