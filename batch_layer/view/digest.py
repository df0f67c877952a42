"""A view's digest: equal for equal sets of rows, whatever their order and however they are split. Knows no store."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import reduce

_MODULUS = 1 << 128


@dataclass(frozen=True, slots=True)
class Digest:
    """The number of rows, and the sum of their hashes modulo 2^128. Digests of parts add up to that of the whole."""

    rows: int = 0
    total: int = 0

    def __add__(self, other: "Digest") -> "Digest":
        return Digest(self.rows + other.rows, (self.total + other.total) % _MODULUS)

    def __sub__(self, other: "Digest") -> "Digest":
        return Digest(self.rows - other.rows, (self.total - other.total) % _MODULUS)

    @property
    def checksum(self) -> str:
        return f"{self.total:032x}"

    @classmethod
    def of(cls, checksum: str, rows: int) -> "Digest":
        """Inverse of `checksum` and `rows`."""
        return cls(rows, int(checksum, 16))


def of_row(customer_id: str, state: str) -> Digest:
    """Returns the digest of one row of a view."""
    hashed = hashlib.blake2b(f"{customer_id}\0{state}".encode(), digest_size=16)
    return Digest(1, int.from_bytes(hashed.digest(), "big"))


def total(digests: Iterable[Digest]) -> Digest:
    """Returns the sum of any number of digests."""
    return reduce(Digest.__add__, digests, Digest())
