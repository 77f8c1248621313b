"""Single files as typed values; every mistake is noted by file and field."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Final, TypeVar

from pydantic import BaseModel, ValidationError

from studypack.admin.course_files import yaml_text
from studypack.admin.course_files.tree import Tree
from studypack.core.errors import FieldError

LONGEST_TEXT: Final = 2_000_000
"""Bytes of one file that is read as text."""
_FENCE: Final = "---"
_FRONT_MATTER: Final = "front matter"

M = TypeVar("M", bound=BaseModel)


class Parser:
    """Reads files of a tree and gathers the mistakes."""

    def __init__(self, tree: Tree) -> None:
        self.tree = tree
        self.errors: list[FieldError] = []

    def refuse(self, field: str, code: str, message: str) -> None:
        """Note a mistake."""
        self.errors.append(FieldError(field, code, message))

    def yaml(self, path: str) -> Any:
        """What a YAML file holds; None if that cannot be told."""
        text = self._text(path)
        return None if text is None else self._yaml(path, text)

    def one(self, model: type[M], path: str) -> M | None:
        """The entry that a YAML file is."""
        before = len(self.errors)
        data = self.yaml(path)
        return None if len(self.errors) > before else self.entry(model, path, data)

    def many(self, model: type[M], path: str) -> list[M]:
        """The entries of a YAML file that is a list; none if it is not there."""
        if path not in self.tree:
            return []
        before = len(self.errors)
        data = self.yaml(path)
        if len(self.errors) > before:
            return []
        if not isinstance(data, list):
            self.refuse(path, "not_a_list", "The file must hold a list.")
            return []
        parsed = []
        for index, item in enumerate(data):
            if item is None:
                self.refuse(f"{path}: [{index}]", "empty", "The item is empty.")
                continue
            name = (item.get("id") or item.get("slug")) if isinstance(item, dict) else None
            parsed.append(self.entry(model, f"{path}: {name or f'[{index}]'}", item, joint="."))
        return [item for item in parsed if item is not None]

    def front_matter(self, path: str) -> tuple[Any, str] | None:
        """The fields above a Markdown file, and the Markdown."""
        text = self._text(path)
        if text is None:
            return None
        first, _, rest = text.partition("\n")
        fields, fence, body = f"\n{rest}".partition(f"\n{_FENCE}\n")
        if first.rstrip() != _FENCE or not fence:
            self.refuse(
                f"{path}: {_FRONT_MATTER}",
                "missing",
                "The file must begin with its fields, between --- lines.",
            )
            return None
        before = len(self.errors)
        data = self._yaml(f"{path}: {_FRONT_MATTER}", fields)
        return None if len(self.errors) > before else (data, body.strip("\n"))

    def json(self, path: str) -> dict[str, Any] | None:
        """The object that a JSON file is."""
        text = self._text(path)
        if text is None:
            return None
        try:
            data = json.loads(text, parse_constant=_no_constant)
        except (ValueError, RecursionError) as error:
            self.refuse(path, "unreadable", str(error))
            return None
        if not isinstance(data, dict):
            self.refuse(path, "not_an_object", "The file must hold an object.")
            return None
        return data

    def entry(self, model: type[M], place: str, data: Any, *, joint: str = ": ") -> M | None:
        """Plain data as an entry; `place` is what the mistakes' fields begin with."""
        try:
            made = model.model_validate(data)
        except ValidationError as error:
            self.errors.extend(named(place, error, joint=joint))
            return None
        unstorable = list(_unstorable(data, ""))
        for path in unstorable:
            self.refuse(
                f"{place}{joint}{path}",
                "unstorable",
                "The text has characters that cannot be stored.",
            )
        return None if unstorable else made

    def _text(self, path: str) -> str | None:
        data = self.tree.get(path)
        if data is None:
            self.refuse(path, "missing", "The file is not there.")
            return None
        if len(data) > LONGEST_TEXT:
            self.refuse(path, "too_large", f"The file is larger than {LONGEST_TEXT} bytes.")
            return None
        try:
            text = data.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            self.refuse(path, "unreadable", f"The file is not UTF-8: {error.reason}.")
            return None
        return text.replace("\r\n", "\n").replace("\r", "\n")

    def _yaml(self, place: str, text: str) -> Any:
        try:
            return yaml_text.load(text)
        except yaml_text.YamlProblem as error:
            self.refuse(place, "unreadable", str(error))
            return None


def named(place: str, error: ValidationError, *, joint: str = ".") -> Iterator[FieldError]:
    """A model's mistakes by the file's field."""
    for item in error.errors():
        path = ".".join(str(part) for part in item["loc"])
        yield FieldError(f"{place}{joint}{path}" if path else place, item["type"], item["msg"])


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")


def _unstorable(data: Any, path: str) -> Iterator[str]:
    match data:
        case str():
            if any(each == "\0" or "\ud800" <= each <= "\udfff" for each in data):
                yield path
        case dict():
            for key, value in data.items():
                yield from _unstorable(value, f"{path}.{key}".lstrip("."))
        case list():
            for index, value in enumerate(data):
                yield from _unstorable(value, f"{path}.{index}".lstrip("."))
