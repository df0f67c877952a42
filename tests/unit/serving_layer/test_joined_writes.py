"""What is written in one turn of the loop is sent in one piece, in order, and never later than a close."""

import asyncio
from typing import cast

from serving_layer.access.joined_writes import JOINED_BYTES, JoinedWrites


class Recorded:
    """A transport that notes what is asked of it."""

    def __init__(self) -> None:
        self.told: list[bytes | str] = []

    def write(self, data: bytes) -> None:
        self.told.append(data)

    def close(self) -> None:
        self.told.append("close")

    def write_eof(self) -> None:
        self.told.append("eof")

    def abort(self) -> None:
        self.told.append("abort")

    def is_closing(self) -> bool:
        return "close" in self.told


def told(*steps: tuple[str, *tuple[bytes, ...]]) -> list[bytes | str]:
    """What the transport was told in the turn of these calls, a mark, and what it was told in the next turn."""
    transport = Recorded()

    async def run() -> None:
        writes = JoinedWrites(cast(asyncio.Transport, transport), asyncio.get_running_loop())
        for name, *data in steps:
            getattr(writes, name)(*data)
        transport.told.append("turn")
        await asyncio.sleep(0)

    asyncio.run(run())
    return transport.told


def test_head_and_body_are_sent_in_one_piece() -> None:
    assert told(("write", b"head"), ("write", b"body"), ("write", b"more")) == ["turn", b"headbodymore"]


def test_what_was_written_is_sent_before_the_connection_is_closed() -> None:
    assert told(("write", b"a"), ("write", b"b"), ("close",)) == [b"ab", "close", "turn"]
    assert told(("write", b"a"), ("write_eof",)) == [b"a", "eof", "turn"]


def test_after_that_the_transport_itself_says_that_it_is_over() -> None:
    for end, said in (("close", "close"), ("write_eof", "eof")):
        assert told(("write", b"a"), (end,), ("write", b"b")) == [b"a", said, b"b", "turn"]


def test_what_is_complete_is_sent_at_once_and_what_nobody_gets_is_dropped() -> None:
    assert told(("write", b"a"), ("write", b"b"), ("flush",), ("write", b"c")) == [b"ab", "turn", b"c"]
    assert told(("write", b"a"), ("drop",)) == ["turn"]


def test_more_than_is_joined_is_handed_on_at_once() -> None:
    large = b"x" * JOINED_BYTES
    assert told(("write", b"head"), ("write", large), ("write", b"rest")) == [b"head" + large, "turn", b"rest"]


def test_everything_else_is_the_transports_own() -> None:
    assert told(("write", b"a"), ("abort",)) == ["abort", "turn", b"a"]
