"""Dead letters and servers that take replays, for tests without servers."""

from collections.abc import Collection, Mapping, Sequence
from datetime import date

from common.errors import LogUnavailable
from common.log.dead_letters import Address, Letter, Rejection
from common.log.normalizing import Rules
from common.log.position import Position
from infra.operate.dead_letters.judge import Erasure, Ready
from infra.operate.dead_letters.replay import Appended, Sent
from tests.support.builders import Message

AT = 1_719_800_000_123_000


RULES = Rules("USD")


PARTITIONS = 4


def letter(message: Message, offset: int = 7, partition: int = 0, *, kept: bool = True) -> Letter:
    key, value, _ = message
    sizes = None if key is None else len(key), None if value is None else len(value) + (not kept)
    position = Position(partition, offset)
    rejections = {position: Rejection(AT, "partition", "0", "another one")}
    return Letter(Address(date(2024, 7, 1), position), AT, key, value, *sizes, rejections, {}, None)


class Servers:
    """The log and the table of a replay: what was appended, in which portions, and what was marked."""

    def __init__(self, erased: Mapping[str, Erasure] | None = None, fail_after: int = 10**9) -> None:
        self.erased, self.fail_after = erased or {}, fail_after
        self.portions: list[list[Ready]] = []
        self.marked: list[Appended] = []

    def erasures(self, customers: Collection[str]) -> Mapping[str, Erasure]:
        return {customer: self.erased[customer] for customer in customers if customer in self.erased}

    def append(self, ready: Sequence[Ready]) -> Sent:
        start = sum(len(portion) for portion in self.portions)
        self.portions.append(list(ready))
        done = [Appended(each.letter.address, Position(each.partition, start + n), AT) for n, each in enumerate(ready)]
        done = done[: max(0, self.fail_after - start)]
        return Sent(done, failure=None if len(done) == len(ready) else LogUnavailable("Kafka is away"))

    def mark_replayed(self, appended: Sequence[Appended]) -> None:
        self.marked += appended
