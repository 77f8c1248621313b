"""QR codes of short texts (pure): ISO/IEC 18004, bytes, error correction level M, versions 1 to 10.

Written here because the one thing that needs it is the address on a certificate.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import groupby, zip_longest
from typing import Final

Matrix = list[list[bool]]
"""Rows of modules, True where it is dark; without the quiet zone of four around it."""

_BLOCKS: Final = (
    (10, (16,)),
    (16, (28,)),
    (26, (44,)),
    (18, (32, 32)),
    (24, (43, 43)),
    (16, (27, 27, 27, 27)),
    (18, (31, 31, 31, 31)),
    (22, (38, 38, 39, 39)),
    (22, (36, 36, 36, 37, 37)),
    (26, (43, 43, 43, 43, 44)),
)
"""By version (18004, table 9, level M): check bytes of each block, data bytes of the blocks."""
_ALIGNED: Final = (
    (), (6, 18), (6, 22), (6, 26), (6, 30), (6, 34), (6, 22, 38), (6, 24, 42), (6, 26, 46),
    (6, 28, 50),
)  # fmt: skip
"""By version: where alignment patterns are centred (18004, annex E)."""
_MASKS: Final[Sequence[Callable[[int, int], bool]]] = (
    lambda x, y: (x + y) % 2 == 0,
    lambda _, y: y % 2 == 0,
    lambda x, _: x % 3 == 0,
    lambda x, y: (x + y) % 3 == 0,
    lambda x, y: (x // 3 + y // 2) % 2 == 0,
    lambda x, y: x * y % 2 + x * y % 3 == 0,
    lambda x, y: (x * y % 2 + x * y % 3) % 2 == 0,
    lambda x, y: ((x + y) % 2 + x * y % 3) % 2 == 0,
)
_BYTE_MODE: Final = 0b0100
_PADDING: Final = (0xEC, 0x11)
_LIKE_A_FINDER: Final = [True, False, True, True, True, False, True]
_LEVEL_M: Final = 0b00


def matrix(content: str) -> Matrix | None:
    """The modules of a text's code; None when it is too long (213 bytes of UTF-8)."""
    raw = content.encode()
    version = _version_for(len(raw))
    if version is None:
        return None
    symbol = _Symbol(version)
    symbol.place(_codewords(raw, version))
    return symbol.masked()


def _version_for(length: int) -> int | None:
    for version, (_, blocks) in enumerate(_BLOCKS, start=1):
        if 4 + _count_bits(version) + 8 * length <= 8 * sum(blocks):
            return version
    return None


def _count_bits(version: int) -> int:
    return 8 if version < 10 else 16


def _codewords(raw: bytes, version: int) -> bytes:
    """Data with padding, cut into blocks, each with its check bytes, interleaved."""
    check_size, sizes = _BLOCKS[version - 1]
    capacity = sum(sizes)
    bits = f"{_BYTE_MODE:04b}{len(raw):0{_count_bits(version)}b}"
    bits += "".join(f"{byte:08b}" for byte in raw)
    bits += "0" * min(4, 8 * capacity - len(bits))
    bits += "0" * (-len(bits) % 8)
    data = [int(bits[at : at + 8], 2) for at in range(0, len(bits), 8)]
    data += [_PADDING[number % 2] for number in range(capacity - len(data))]
    blocks, start = [], 0
    for size in sizes:
        blocks.append(data[start : start + size])
        start += size
    checks = [_check_bytes(block, check_size) for block in blocks]
    return bytes(
        byte
        for rows in (blocks, checks)
        for column in zip_longest(*rows)
        for byte in column
        if byte is not None
    )


def _check_bytes(data: Sequence[int], count: int) -> list[int]:
    """Reed-Solomon over GF(2^8), polynomial 0x11D (18004, annex A)."""
    generator = [1]
    root = 1
    for _ in range(count):
        longer = [*generator, 0]
        for place, factor in enumerate(generator):
            longer[place + 1] ^= _times(factor, root)
        generator = longer
        root = _times(root, 2)
    rest = [0] * count
    for byte in data:
        lead = byte ^ rest[0]
        rest = [*rest[1:], 0]
        rest = [
            each ^ _times(factor, lead) for each, factor in zip(rest, generator[1:], strict=True)
        ]
    return rest


def _times(left: int, right: int) -> int:
    product = 0
    while right:
        if right & 1:
            product ^= left
        left = left << 1 ^ (0x11D if left & 0x80 else 0)
        right >>= 1
    return product


def _with_remainder(value: int, polynomial: int) -> int:
    """A BCH code word: the value, then its remainder."""
    degree = polynomial.bit_length() - 1
    rest = value
    for _ in range(degree):
        rest = rest << 1 ^ (rest >> degree - 1) * polynomial
    return value << degree | rest


class _Symbol:
    """The square: patterns that are always there, then data around them."""

    def __init__(self, version: int) -> None:
        self.version = version
        self.size = 17 + 4 * version
        self.dark: Matrix = [[False] * self.size for _ in range(self.size)]
        self.fixed: Matrix = [[False] * self.size for _ in range(self.size)]
        self._timing()
        self._finders()
        self._alignment()
        self._format(self.dark, 0)
        self._version()

    def _set(self, x: int, y: int, is_dark: bool) -> None:
        self.dark[y][x] = is_dark
        self.fixed[y][x] = True

    def _timing(self) -> None:
        for place in range(self.size):
            self._set(6, place, place % 2 == 0)
            self._set(place, 6, place % 2 == 0)

    def _finders(self) -> None:
        last = self.size - 4
        for middle_x, middle_y in ((3, 3), (last, 3), (3, last)):
            for y in range(max(0, middle_y - 4), min(self.size, middle_y + 5)):
                for x in range(max(0, middle_x - 4), min(self.size, middle_x + 5)):
                    ring = max(abs(x - middle_x), abs(y - middle_y))
                    self._set(x, y, ring not in {2, 4})

    def _alignment(self) -> None:
        middles = _ALIGNED[self.version - 1]
        at_finders = {(6, 6), (6, self.size - 7), (self.size - 7, 6)}
        for middle_y in middles:
            for middle_x in middles:
                if (middle_x, middle_y) in at_finders:
                    continue
                for y in range(middle_y - 2, middle_y + 3):
                    for x in range(middle_x - 2, middle_x + 3):
                        self._set(x, y, max(abs(x - middle_x), abs(y - middle_y)) != 1)

    def _format(self, dark: Matrix, mask: int) -> None:
        """Level and mask, twice, from the lowest bit on."""
        bits = _with_remainder(_LEVEL_M << 3 | mask, 0x537) ^ 0x5412
        size = self.size
        first = [*((8, y) for y in range(6)), (8, 7), (8, 8), (7, 8)]
        first += [(x, 8) for x in range(5, -1, -1)]
        second = [(size - 1 - step, 8) for step in range(8)]
        second += [(8, y) for y in range(size - 7, size)]
        for place in (first, second):
            for number, (x, y) in enumerate(place):
                dark[y][x] = bool(bits >> number & 1)
                self.fixed[y][x] = True
        dark[size - 8][8] = True
        self.fixed[size - 8][8] = True

    def _version(self) -> None:
        if self.version < 7:
            return
        bits = _with_remainder(self.version, 0x1F25)
        for number in range(18):
            near, far = number // 3, self.size - 11 + number % 3
            is_dark = bool(bits >> number & 1)
            self._set(far, near, is_dark)
            self._set(near, far, is_dark)

    def place(self, codewords: bytes) -> None:
        """Write the bits where nothing is fixed, in columns of two, up and down by turns."""
        for number, (x, y) in enumerate(self._path()):
            if number < 8 * len(codewords):
                self.dark[y][x] = bool(codewords[number >> 3] >> 7 - (number & 7) & 1)

    def _path(self) -> Iterator[tuple[int, int]]:
        upward = True
        for right in range(self.size - 1, 0, -2):
            column = right if right > 6 else right - 1
            rows = range(self.size - 1, -1, -1) if upward else range(self.size)
            for y in rows:
                for x in (column, column - 1):
                    if not self.fixed[y][x]:
                        yield x, y
            upward = not upward

    def masked(self) -> Matrix:
        """With the mask under which it is read best (18004, 7.8.3)."""
        return min((self._under(number) for number in range(len(_MASKS))), key=_penalty)

    def _under(self, number: int) -> Matrix:
        flips = _MASKS[number]
        dark = [
            [is_dark != (flips(x, y) and not self.fixed[y][x]) for x, is_dark in enumerate(row)]
            for y, row in enumerate(self.dark)
        ]
        self._format(dark, number)
        return dark


def _penalty(dark: Matrix) -> int:
    size = len(dark)
    points = 0
    for line in [*dark, *(list(column) for column in zip(*dark, strict=True))]:
        runs = (len(list(run)) for _, run in groupby(line))
        points += sum(run - 2 for run in runs if run >= 5)
        wide = [False] * 4 + line + [False] * 4
        for start in range(len(line) - 6):
            if line[start : start + 7] == _LIKE_A_FINDER:
                before, after = wide[start : start + 4], wide[start + 11 : start + 15]
                points += 40 * (not any(before)) + 40 * (not any(after))
    for y in range(size - 1):
        for x in range(size - 1):
            if dark[y][x] == dark[y][x + 1] == dark[y + 1][x] == dark[y + 1][x + 1]:
                points += 3
    share = sum(map(sum, dark)) * 100 / size**2
    return points + int(abs(share - 50) // 5) * 10
