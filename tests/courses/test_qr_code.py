"""QR codes. That cameras read them was tried with zbar for every version and both edges of its
capacity; here, what must hold in each, by the standard's own rules.
"""

from __future__ import annotations

import hashlib

import pytest

from studypack.courses import qr_code
from studypack.courses.qr_code import Matrix, matrix

ADDRESS = "https://app.studypack.example/certificates/7Q4M-0ZKX-9TNE-3CVH"
FITTING = [14, 26, 42, 62, 84, 106, 122, 152, 180, 213]
"""Bytes that versions 1 to 10 hold at level M (18004, table 7)."""


def read_back(modules: Matrix) -> bytes:
    """Undo mask, path and interleaving, and check the check bytes."""
    version = (len(modules) - 17) // 4
    bits = sum(modules[y][8] << place for place, y in enumerate([0, 1, 2, 3, 4, 5, 7, 8]))
    bits |= modules[8][7] << 8
    bits |= sum(modules[8][x] << 14 - x for x in range(6))
    mask = ((bits ^ 0x5412) >> 10) & 7
    symbol = qr_code._Symbol(version)
    flips = qr_code._MASKS[mask]
    stream = [modules[y][x] ^ flips(x, y) for x, y in symbol._path()]
    codewords = [
        int("".join(str(int(bit)) for bit in stream[at : at + 8]), 2)
        for at in range(0, len(stream) - 7, 8)
    ]
    check_size, sizes = qr_code._BLOCKS[version - 1]
    places = [place for row in range(max(sizes)) for place, size in enumerate(sizes) if row < size]
    blocks: list[list[int]] = [[] for _ in sizes]
    for place, byte in zip(places, codewords, strict=False):
        blocks[place].append(byte)
    rest = codewords[len(places) :]
    for number, data_bytes in enumerate(blocks):
        checks = rest[number :: len(sizes)][:check_size]
        assert _syndromes(data_bytes + checks, check_size) == [0] * check_size
    data = "".join(f"{byte:08b}" for block in blocks for byte in block)
    width = 8 if version < 10 else 16
    assert data[:4] == "0100"
    length = int(data[4 : 4 + width], 2)
    start = 4 + width
    return bytes(int(data[start + 8 * n : start + 8 * n + 8], 2) for n in range(length))


def _syndromes(word: list[int], count: int) -> list[int]:
    """The word as a polynomial at 2^0, 2^1, ...: zero where nothing is damaged."""
    found, root = [], 1
    for _ in range(count):
        value = 0
        for byte in word:
            value = qr_code._times(value, root) ^ byte
        found.append(value)
        root = qr_code._times(root, 2)
    return found


@pytest.mark.parametrize("length", sorted({1, *FITTING, *(size + 1 for size in FITTING[:-1])}))
def test_a_code_says_what_was_put_in_and_is_as_small_as_can_be(length: int) -> None:
    text = (hashlib.sha256(str(length).encode()).hexdigest() * 4)[:length]

    modules = matrix(text)

    assert modules is not None
    assert read_back(modules) == text.encode()
    version = next(place for place, size in enumerate(FITTING, start=1) if length <= size)
    assert len(modules) == 17 + 4 * version


def test_text_beyond_the_largest_is_none() -> None:
    assert matrix("x" * 214) is None
    assert matrix("ä" * 107) is None


def test_the_three_finders_stand_in_their_corners() -> None:
    modules = matrix(ADDRESS)
    assert modules is not None
    last = len(modules) - 7

    for left, top in ((0, 0), (last, 0), (0, last)):
        square = [row[left : left + 7] for row in modules[top : top + 7]]
        assert [sum(row) for row in square] == [7, 2, 5, 5, 5, 2, 7]


def test_known_words_of_the_standard_come_out() -> None:
    # 18004: version 7 is 000111110010010100; format of level M, mask 5 is 100000011001110
    assert qr_code._with_remainder(7, 0x1F25) == 0b000111110010010100
    assert qr_code._with_remainder(0b00_101, 0x537) ^ 0x5412 == 0b100000011001110
    # Annex I: the check bytes of the numeric symbol "01234567", version 1-M
    data = [0x10, 0x20, 0x0C, 0x56, 0x61, 0x80, *[0xEC, 0x11] * 5]
    assert qr_code._check_bytes(data, 10) == [
        0xA5, 0x24, 0xD4, 0xC1, 0xED, 0x36, 0xC7, 0x87, 0x2C, 0x55,
    ]  # fmt: skip
