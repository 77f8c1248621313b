"""A broadcast's Markdown as html with our mails' styles, and as text. markdown-it is imported when
one is rendered.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

from studypack.emails.palette import LIGHT
from studypack.emails.wording import UnsafeLink, safe_url

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.token import Token

_FONT = "font-family:-apple-system,'Segoe UI',Roboto,Helvetica,Arial,sans-serif;"
_TEXT = f"{_FONT}font-size:16px;line-height:26px;color:{LIGHT['body']};"
_STYLES = {
    "p": ("t-body", f"margin:0 0 16px 0;{_TEXT}"),
    "li": ("t-body", f"margin:0 0 8px 0;{_TEXT}"),
    "ul": ("t-body", "margin:0 0 16px 0;padding:0 0 0 24px;"),
    "ol": ("t-body", "margin:0 0 16px 0;padding:0 0 0 24px;"),
    "strong": ("t-ink", f"color:{LIGHT['ink']};"),
    "a": ("t-accent", f"color:{LIGHT['accent']};text-decoration:underline;"),
    "hr": ("l-line", f"border:0;border-top:1px solid {LIGHT['line']};margin:24px 0;"),
    "code": ("t-ink b-tint", f"color:{LIGHT['ink']};background-color:{LIGHT['tint']};"),
    "blockquote": (
        "l-accent",
        f"margin:0 0 16px 0;padding:0 0 0 16px;border-left:3px solid {LIGHT['accent']};",
    ),
}
_HEADING = (
    f"margin:24px 0 12px 0;{_FONT}font-size:18px;line-height:26px;"
    f"font-weight:700;color:{LIGHT['ink']};"
)
_STYLES |= {f"h{level}": ("t-ink", _HEADING) for level in range(1, 7)}


def to_html(body: str) -> str:
    """Html of a body. Its own html is text; links other than https are text; pictures are links;
    the mail's subject is the one heading above all others.
    """
    parser = _parser()
    tokens = parser.parse(body)
    for token in _all(tokens):
        if token.tag.startswith("h") and token.tag[1:].isdigit():
            token.tag = f"h{max(int(token.tag[1:]), 2)}"
        if token.nesting >= 0 and token.tag in _STYLES:
            classes, style = _STYLES[token.tag]
            token.attrSet("class", classes)
            token.attrSet("style", style)
    return str(parser.renderer.render(tokens, parser.options, {}))


def to_text(body: str) -> str:
    """The same as text, with each link's address behind its words."""
    return _Writer().written(_parser().parse(body))


def _all(tokens: Sequence[Token]) -> list[Token]:
    return [inner for token in tokens for inner in (token, *(token.children or ()))]


@lru_cache(maxsize=1)
def _parser() -> MarkdownIt:
    from markdown_it import MarkdownIt

    parser = MarkdownIt("commonmark", {"html": False, "xhtmlOut": True})
    parser.disable(["image", "html_block", "html_inline", "fence", "code"])
    parser.validateLink = _is_safe  # type: ignore[method-assign]
    return parser


def _is_safe(url: str) -> bool:
    try:
        safe_url(url)
    except UnsafeLink:
        return False
    return True


class _Writer:
    """Writes blocks one below the other, with an empty line between."""

    def __init__(self) -> None:
        self.blocks: list[tuple[str, int]] = []
        """Each with the outermost list that it is an item of, counted from 1; 0: of none."""
        self.lists = 0
        self.marks: list[str] = []
        self.numbers: list[int | None] = []

    def written(self, tokens: Sequence[Token]) -> str:
        steps = self._steps()
        for token in tokens:
            step = steps.get(token.type)
            if step is not None:
                step(token)
        written = ""
        last = 0
        for block, of_list in self.blocks:
            written += ("\n" if of_list and of_list == last else "\n\n") + block
            last = of_list
        return written.strip("\n")

    def _steps(self) -> dict[str, Callable[[Token], None]]:
        return {
            "inline": self._inline,
            "hr": lambda _: self.blocks.append(("---", 0)),
            "bullet_list_open": lambda _: self._list_begins(None),
            "ordered_list_open": lambda token: self._list_begins(int(token.attrGet("start") or 1)),
            "bullet_list_close": lambda _: self._list_ends(),
            "ordered_list_close": lambda _: self._list_ends(),
            "list_item_open": lambda _: self._item(),
        }

    def _list_begins(self, number: int | None) -> None:
        self.lists += not self.numbers
        self.numbers.append(number)

    def _item(self) -> None:
        number = self.numbers[-1]
        self.marks.append("- " if number is None else f"{number}. ")
        self.numbers[-1] = None if number is None else number + 1

    def _list_ends(self) -> None:
        self.numbers.pop()

    def _inline(self, token: Token) -> None:
        mark = self.marks.pop() if self.marks else ""
        self.blocks.append((mark + _inline_text(token.children or ()), self.lists if mark else 0))


def _inline_text(tokens: Sequence[Token]) -> str:
    written: list[str] = []
    opened: list[tuple[str, int]] = []
    for token in tokens:
        match token.type:
            case "link_open":
                opened.append((str(token.attrGet("href")), len(written)))
            case "link_close":
                href, start = opened.pop()
                if "".join(written[start:]) != href:
                    written.append(f" ({href})")
            case "softbreak" | "hardbreak":
                written.append(" ")
            case _:
                written.append(token.content)
    return "".join(written)
