"""Reads from Stripe's TypeScript declarations which fields its API always sends.

Python's types can't tell a field that may be null from one that may be missing; the declarations of
the npm package `stripe`, generated from the same OpenAPI document, can. Run with the unpacked
package of the API version that the Python SDK pins; it writes shapes.json beside this file:

    npm pack stripe@VERSION && tar xzf stripe-VERSION.tgz
    python tests/local/stripe/shapes_from_npm.py package
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
SHAPES = HERE / "shapes.json"
_COMMENT = re.compile(r"/\*.*?\*/", re.S)
_LITERAL = re.compile(r"'([^']*)'")
_ELSEWHERE = re.compile(
    r"(PaymentMethodOptions|PaymentMethodDetails|NextAction|DestinationDetails|Level3|Wallet"
    r"|EnhancedEvidence|Appeal|Hooks)\.(?!Card$|Card\.Checks|SepaDebit$|RedirectToUrl$)"
    r"|^PaymentMethod\.(?!Card|SepaDebit|BillingDetails)"
)
"""What the stand-in never has: other ways to pay, and what is below them."""
_MANY = 40
"""Types of events and of tax ids are not listed here: Python's types have them."""
Fields = dict[str, str]


class Declarations:
    """The interfaces of one file, by their full names, and its types that name literals."""

    def __init__(self, text: str) -> None:
        self.fields: dict[str, Fields] = {}
        self.unions: dict[str, str] = {}
        self._read(_COMMENT.sub("", text))

    def _read(self, text: str) -> None:
        stack: list[str] = []
        statement = ""
        for line in text.splitlines():
            statement = f"{statement} {line.strip()}".strip()
            if not statement.endswith(("{", "}", ";")):
                continue
            opened = re.fullmatch(
                r"(?:export )?(?:declare )?(interface|namespace) (\w+).*\{", statement
            )
            if opened:
                stack.append(f"{opened[1]} {opened[2]}")
                if opened[1] == "interface":
                    self.fields.setdefault(self._name(stack), {})
            elif statement.endswith("{"):
                stack.append("other")
            elif statement.startswith("}"):
                stack.pop()
            else:
                self._note(stack, statement.rstrip(";"))
            statement = ""

    def _note(self, stack: list[str], statement: str) -> None:
        named = re.fullmatch(r"(?:export )?type (\w+) = (.*)", statement)
        if named:
            self.unions[".".join([*(each.split()[-1] for each in stack), named[1]])] = named[2]
        elif stack and stack[-1].startswith("interface"):
            field = re.fullmatch(r"(\w+)(\??): (.*)", statement)
            if field:
                self.fields[self._name(stack)][field[1]] = field[2] + field[3]

    @staticmethod
    def _name(stack: list[str]) -> str:
        return ".".join(each.split()[-1] for each in stack)

    def found(self, scope: str, name: str) -> str | None:
        """The full name of what is called `name` in a scope."""
        parts = scope.split(".")
        for length in range(len(parts), -1, -1):
            full = ".".join([*parts[:length], name])
            if full in self.fields or full in self.unions:
                return full
        return None


def shape(declared: Declarations, scope: str, written: str) -> tuple[str, str | None]:
    """A field as shapes.json has it, and the interface that is below it.

    "?" it may be missing, "-" it may be null; then the words that it may be, or the interface.
    """
    marks = ("?" if written.startswith("?") else "") + ("-" if "null" in written.split() else "")
    if "| null" in written and "-" not in marks:
        marks += "-"
    kind = written.lstrip("?")
    named = re.sub(r"^Array<(.*)>$", r"\1", kind.replace("| null", "").strip())
    full = declared.found(scope, named) if re.fullmatch(r"[\w.]+", named) else None
    if full in declared.fields:
        return f"{marks}{full}", full
    words = _LITERAL.findall(declared.unions[full] if full else kind)
    return marks + ("|".join(words) if len(words) <= _MANY else ""), None


def read(package: Path, kinds: set[str]) -> dict[str, dict[str, str]]:
    """The shapes of the objects of these kinds, and of what is in them."""
    result: dict[str, dict[str, str]] = {}
    for path in sorted((package / "esm" / "resources").rglob("*.d.ts")):
        declared = Declarations(path.read_text(encoding="utf-8"))
        for name, fields in declared.fields.items():
            kind = fields.get("object", "").strip("'")
            if kind not in kinds or "Deleted" in name or kind in result:
                continue
            waiting = [(kind, name)]
            while waiting:
                key, full = waiting.pop()
                if key in result:
                    continue
                result[key] = {}
                for field, written in sorted(declared.fields[full].items()):
                    text, below = shape(declared, full, written)
                    if below:
                        text = text.replace(below, f"{kind}:{below}")
                        if not _ELSEWHERE.search(below):
                            waiting.append((f"{kind}:{below}", below))
                    result[key][field] = text
    return result


def main() -> None:
    """Write shapes.json."""
    from tests.local.stripe.test_shapes import KINDS

    kinds = {*KINDS, "item", "line_item", "subscription_item", "credit_note_line_item", "plan"}
    shapes = read(Path(sys.argv[1]), kinds)
    SHAPES.write_text(json.dumps(shapes, indent=0, sort_keys=True) + "\n", encoding="utf-8")
    print(f"{len(shapes)} shapes")


if __name__ == "__main__":
    main()
