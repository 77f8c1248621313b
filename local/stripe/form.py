"""Form-encoded parameters as nested values, and readers that refuse what is not of its kind."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl

from local.stripe.errors import ApiError

TRUE, FALSE = "true", "false"


def parse(encoded: str) -> dict[str, Any]:
    """`items[0][price]=x&expand[]=y` as {"items": [{"price": "x"}], "expand": ["y"]}."""
    tree: dict[str, Any] = {}
    for key, value in parse_qsl(encoded, keep_blank_values=True):
        head, *rest = key.replace("]", "").split("[")
        node, name = tree, head
        for part in rest:
            below = node.get(name)
            node = node.setdefault(name, {}) if not isinstance(below, str) else {}
            name = part or str(len(node))
        node[name] = value
    return {key: _lists(value, key) for key, value in tree.items()}


def _lists(value: Any, key: str) -> Any:
    if not isinstance(value, dict):
        return value
    if key != "metadata" and value and all(each.isdecimal() for each in value):
        return [
            _lists(each, "") for _, each in sorted(value.items(), key=lambda pair: int(pair[0]))
        ]
    return {name: _lists(each, name) for name, each in value.items()}


class Params:
    """The parameters of a request, or of a part of them."""

    def __init__(self, values: dict[str, Any], where: str = "") -> None:
        self.values = values
        self._where = where

    def __contains__(self, name: str) -> bool:
        return name in self.values

    def path(self, name: str) -> str:
        """The parameter's full name, as errors call it."""
        return f"{self._where}[{name}]" if self._where else name

    def text(self, name: str) -> str | None:
        """A text; None if it isn't there or is empty (which unsets)."""
        value = self.values.get(name)
        if value is not None and not isinstance(value, str):
            raise ApiError(f"Invalid string: {value}", param=self.path(name))
        return value or None

    def required(self, name: str) -> str:
        """A text that must be there."""
        value = self.text(name)
        if value is None:
            path = self.path(name)
            raise ApiError(f"Missing required param: {path}.", code="parameter_missing", param=path)
        return value

    def choice(self, name: str, *options: str, default: str) -> str:
        """One of some words."""
        value = self.text(name) or default
        if value not in options:
            listed = ", ".join(options[:-1]) + f", or {options[-1]}" if options[1:] else options[0]
            raise ApiError(f"Invalid {name}: must be one of {listed}", param=self.path(name))
        return value

    def integer(
        self, name: str, *, least: int | None = None, most: int | None = None
    ) -> int | None:
        """A whole number, if it is there."""
        value = self.text(name)
        if value is None:
            return None
        try:
            number = int(value)
        except ValueError:
            raise ApiError(
                f"Invalid integer: {value}",
                code="parameter_invalid_integer",
                param=self.path(name),
            ) from None
        if (least is not None and number < least) or (most is not None and number > most):
            bound = f"greater than or equal to {least}" if most is None else f"{least} to {most}"
            raise ApiError(
                f"Invalid {name}: must be {bound}",
                code="parameter_invalid_integer",
                param=self.path(name),
            )
        return number

    def flag(self, name: str, default: bool | None = None) -> bool | None:
        """A truth value, if it is there."""
        value = self.text(name)
        if value is None:
            return default
        if value.lower() not in {TRUE, FALSE}:
            raise ApiError(f"Invalid boolean: {value}", param=self.path(name))
        return value.lower() == TRUE

    def nested(self, name: str) -> Params:
        """The parameters below a name; none if they aren't there."""
        value = self.values.get(name)
        if value is None or value == "":
            return Params({}, self.path(name))
        if not isinstance(value, dict):
            raise ApiError("Invalid object", param=self.path(name))
        return Params(value, self.path(name))

    def many(self, name: str) -> list[Params]:
        """A list of objects; none if it isn't there."""
        value = self.values.get(name)
        if value is None or value == "":
            return []
        if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):
            raise ApiError("Invalid array", param=self.path(name))
        return [Params(each, f"{self.path(name)}[{at}]") for at, each in enumerate(value)]

    def texts(self, name: str) -> list[str]:
        """A list of texts; none if it isn't there."""
        value = self.values.get(name)
        if value is None or value == "":
            return []
        if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
            raise ApiError("Invalid array", param=self.path(name))
        return list(value)

    def metadata(self, before: dict[str, str] | None = None) -> dict[str, str]:
        """Metadata after this request: keys are merged, an empty value takes a key away."""
        merged = dict(before or {})
        if self.values.get("metadata") == "":
            return {}
        given = self.nested("metadata").values
        for key, value in given.items():
            if not isinstance(value, str):
                raise ApiError("Metadata values must be strings.", param=self.path("metadata"))
            if len(key) > 40 or len(value) > 500:
                raise ApiError(
                    "Metadata keys have up to 40 characters, values up to 500.",
                    param=self.path("metadata"),
                )
            merged[key] = value
        merged = {key: value for key, value in merged.items() if value}
        if len(merged) > 50:
            raise ApiError("Metadata has up to 50 keys.", param=self.path("metadata"))
        return merged
