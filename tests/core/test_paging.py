from __future__ import annotations

import base64
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from studypack.core.errors import BadRequest
from studypack.core.paging import Page, PageParams, decode_cursor, encode_cursor, page_of


class Row(BaseModel):
    id: UUID


def _page(rows: list[Row], limit: int) -> Page[Row]:
    return page_of(rows, PageParams(None, limit), key=lambda row: row.id, out=lambda row: row)


@given(st.uuids())
def test_a_cursor_gives_back_the_id_it_was_made_of(last: UUID) -> None:
    cursor = encode_cursor(last)
    assert decode_cursor(cursor) == last
    assert cursor.replace("-", "").replace("_", "").isalnum()


@given(st.text(max_size=60))
def test_any_text_is_an_id_or_refused(text: str) -> None:
    try:
        found: UUID | str = decode_cursor(text)
    except BadRequest as refusal:
        found = refusal.code
    assert isinstance(found, UUID) or found == "bad_cursor"


@pytest.mark.parametrize("size", [0, 15, 17, 32])
def test_a_cursor_of_another_length_is_refused(size: int) -> None:
    cursor = base64.urlsafe_b64encode(bytes(size)).decode().rstrip("=")
    with pytest.raises(BadRequest):
        decode_cursor(cursor)


def test_an_extra_row_is_not_shown_and_tells_that_there_is_more() -> None:
    rows = [Row(id=uuid4()) for _ in range(4)]
    page = _page(rows, 3)
    assert page.items == rows[:3]
    assert page.next_cursor is not None
    assert decode_cursor(page.next_cursor) == rows[2].id


@pytest.mark.parametrize("number", [0, 1, 3])
def test_the_last_page_has_no_cursor(number: int) -> None:
    rows = [Row(id=uuid4()) for _ in range(number)]
    page = _page(rows, 3)
    assert page.items == rows
    assert page.next_cursor is None
