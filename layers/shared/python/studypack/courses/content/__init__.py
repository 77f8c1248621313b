"""A lesson's content: checked when it is written, made html when it is read (pure)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from studypack.core.errors import Unprocessable
from studypack.courses.content import html, markdown, plain, tiptap

__all__ = ["Prepared", "prepare", "to_html", "to_text"]


@dataclass(frozen=True)
class Prepared:
    """Content as a lesson's row keeps it: one of the two, or none."""

    content: dict[str, Any] | None
    """A TipTap document."""
    content_markdown: str | None
    body_text: str
    """Everything visible without markup, as search reads it (plain.searchable)."""


def prepare(content: dict[str, Any] | None, content_markdown: str | None) -> Prepared:
    """Check content and bring it into the form that is kept; to prepare that again changes
    nothing. Blank Markdown is none.

    Raises Unprocessable whose errors name the block's path (`content.content.3.marks.0.type`) or
    the Markdown's line.
    """
    if content is not None and content_markdown is not None:
        raise Unprocessable.field(
            "content_markdown", "A lesson has TipTap content or Markdown.", code="two_contents"
        )
    if content is not None:
        document = tiptap.accept(content)
        return Prepared(document, None, plain.searchable(plain.to_text(document)))
    text = markdown.normalized(content_markdown or "")
    if not text.strip():
        return Prepared(None, None, "")
    return Prepared(None, text, plain.searchable(plain.to_text(markdown.accept(text))))


def to_html(
    content: dict[str, Any] | None,
    content_markdown: str | None,
    *,
    media_base: str | None = None,
) -> str:
    """Safe html of what `prepare` made; "" of none. `media_base`: the address that the course's
    `media/<file>` lie under, e.g. `/media/python-programming`; None leaves them as they are.
    """
    return html.render(_document(content, content_markdown), media_base=media_base)


def to_text(content: dict[str, Any] | None, content_markdown: str | None) -> str:
    """Everything visible without markup."""
    return plain.to_text(_document(content, content_markdown))


def _document(content: dict[str, Any] | None, content_markdown: str | None) -> Any:
    if content is not None:
        return content
    return markdown.to_document(content_markdown) if content_markdown else None
