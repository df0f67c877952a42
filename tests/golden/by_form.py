"""Sections of one kind: records in a wrong place, under a wrong name, or that are hardly JSON."""

import json
from collections.abc import Iterator
from random import Random

from tests.golden.records import ENVELOPE, PARTITIONS, Raw, broken, fields, keyed, own_partition, plain, raw
from tests.golden.values import BAD_BYTES, LONE, STARTS, TOKENS, TYPES


def names(type_: str, _: Random) -> Iterator[Raw]:
    """Key, subject, data and partition that disagree."""
    value = json.dumps(plain(type_)).encode()
    for key in (None, b"", b"ada", b"Ada", b"ada ", b"bob", b"\xff", "\u00e1da".encode(), b"ada\x00"):
        yield keyed(key, value)
        yield Raw(key, value, own_partition(b"ada"))
    for field in ("subject", "customer_id"):
        for name in ("bob", "Ada", "", "a/b", "x" * 129, "ada\n"):
            yield keyed(b"ada", json.dumps(broken(type_, field, name)).encode())
    for partitions in (1, 2, PARTITIONS, 12, 97):
        for partition in sorted({-1, 0, 1, 2, 3, partitions, own_partition(b"ada", partitions)}):
            yield Raw(b"ada", value, partition, partitions)


def types(type_: str, _: Random) -> Iterator[Raw]:
    """The data of one type under the name of another."""
    for name in TYPES:
        yield raw(broken(type_, "type", name))


def bytes_(type_: str, random: Random) -> Iterator[Raw]:
    """What is no JSON object in UTF-8, or barely one."""
    value = json.dumps(plain(type_)).encode()
    for token in TOKENS:
        yield keyed(b"ada", value[:-1] + b', "extension": ' + token.encode() + b"}")
        yield keyed(b"ada", value[:-2] + b', "extension": ' + token.encode() + b"}}")
    for bad in BAD_BYTES:
        yield keyed(b"ada", value.replace(b"golden", bad))
        yield keyed(b"ada", value[:-1] + b', "extension": "' + bad + b'"}')
        yield keyed(b"ada", value + bad)
    for _ in range(20):
        yield keyed(b"ada", value[: random.randrange(len(value))])
    for around in (b" %s", b"%s \n", b"[%s]", b"%s{}", b"\xef\xbb\xbf%s", b"%s\x00", b"\x1e%s", b"%s,"):
        yield keyed(b"ada", around % value)
    yield keyed(b"ada", value.decode().encode("utf-16"))
    yield keyed(b"ada", value.replace(b'"type": "', b'"type": "x", "type": "'))
    yield keyed(b"ada", value.replace(b'"subject": "ada"', b'"subject": "bob", "subject": "ada"'))
    yield keyed(b"ada", value.replace(b'"subject": "ada"', b'"subject": "ada", "subject": "bob"'))
    yield keyed(b"ada", value.replace(b'"type"', b'"t\\u0079pe"').replace(b'"ada"', b'"\\u0061da"'))


def nesting(type_: str, _: Random) -> Iterator[Raw]:
    value = json.dumps(plain(type_)).encode()
    for depth in (97, 98, 99, 100, 101, 5000):
        for opening, closing in ((b"[", b"]"), (b'{"a":', b"}")):
            nested = opening * depth + b"0" + closing * depth
            yield keyed(b"ada", value[:-1] + b', "extension": ' + nested + b"}")
            yield keyed(b"ada", value[:-2] + b', "extension": ' + nested + b"}}")
            yield keyed(b"ada", opening * depth + value + closing * depth)


def surrogates(type_: str, _: Random) -> Iterator[Raw]:
    """Lone surrogates in every field, in names, and where nobody reads; in retractions and wrong records, too."""
    retracted = {"retracted": True, "updated_at": "2024-06-07", "total_amount": "@", "amount": "@", "category": "@"}
    wrong = {**plain(type_), "subject": 7}
    for lone in LONE:
        spelled = lone.encode()
        for field in (*(field for field in ENVELOPE if field != "data"), *fields(type_)):
            yield keyed(b"ada", json.dumps(broken(type_, field, "x@")).encode().replace(b"@", spelled))
        for record in (plain(type_), wrong, {**plain(type_), "data": {**plain(type_)["data"], **retracted}}):
            value = json.dumps(record).encode().replace(b"@", spelled)
            yield keyed(b"ada", value[:-1] + b', "extension": ["' + spelled + b'"]}')
            yield keyed(b"ada", value[:-2] + b', "extension' + spelled + b'": {"' + spelled + b'": 1e400}}}')
            yield keyed(b"ada", value[:-2] + b', "extension": "' + spelled)


def formats(type_: str, _: Random) -> Iterator[Raw]:
    """Values that begin as those of other formats do, and JSON in other encodings."""
    value = json.dumps(plain(type_))
    for start in STARTS:
        yield keyed(b"ada", start)
        yield keyed(b"ada", start + value.encode())
        yield keyed(b"ada", start + b"[" * 200)
    for encoding in ("utf-8-sig", "utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be", "utf-7", "cp037"):
        yield keyed(b"ada", value.encode(encoding))
