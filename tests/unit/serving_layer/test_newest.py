"""The newest messages of several partitions from windows of each: in order, each once, and none left out."""

from typing import NamedTuple

from hypothesis import given
from hypothesis import strategies as st

from serving_layer.read.newest import Window, newest_first


class Message(NamedTuple):
    published_at: int
    partition: int
    offset: int


class Log(NamedTuple):
    """What one partition holds: messages in the order of their offsets and times, with gaps between them."""

    low: int
    end: int
    messages: list[Message]


@st.composite
def logs(draw: st.DrawFn, partition: int) -> Log:
    low = draw(st.integers(0, 3))
    steps = draw(st.lists(st.tuples(st.integers(1, 6), st.integers(0, 3)), max_size=12))
    offset, at, messages = low - 1, 0, []
    for gap, later in steps:
        offset, at = offset + gap, at + later
        messages.append(Message(at, partition, offset))
    return Log(low, offset + 1 + draw(st.integers(0, 5)), messages)


@given(st.tuples(logs(0), logs(1), logs(2)), st.integers(1, 4))
def test_pages_give_every_message_once_the_newest_first(partitions: tuple[Log, ...], most: int) -> None:
    """Whatever gaps transactions left: a page may be short or empty, but the last one comes, and nothing is missing."""
    below = {number: log.end for number, log in enumerate(partitions)}
    taken: list[Message] = []
    for _ in range(200):
        windows = [Window(number, log.low, min(log.end, below[number]), most) for number, log in enumerate(partitions)]
        read = [
            message
            for window in windows
            for message in partitions[window.partition].messages
            if window.start <= message.offset < window.end
        ]
        page, rest = newest_first(windows, read, most)
        assert len(page) <= most
        taken += page
        if rest is None:
            break
        below = rest
    else:
        raise AssertionError("it never ended")

    everything = [message for log in partitions for message in log.messages]
    assert sorted(taken) == sorted(everything)
    assert [each.published_at for each in taken] == sorted((each.published_at for each in everything), reverse=True)
