"""R15: what the speed tables hold of lost records is said again so that validation reads the same facts."""

from hypothesis import given
from hypothesis import strategies as st

from common.algebra.facts import Fact
from common.log.events import parse
from infra.operate.losses.records import Held, record_of
from tests.support.builders import Log, random_messages
from tests.support.model import RULES, read

PARTITIONS = 4
NOW = 1_800_000_000_000_000


@given(seed=st.integers(0, 10_000))
def test_r15_every_fact_of_a_record_is_said_again_with_its_version_and_payload(seed: int) -> None:
    """Orders, refunds, tickets with plain dates and with times, events, profiles; retracted ones, too."""
    log = Log(PARTITIONS)
    log.append(*random_messages(seed=seed, count=60))
    for record in log.records:
        event = read(record, PARTITIONS)
        if event is None or event.image is None:
            continue
        held = Held(event.customer_id, event.kind, event.entity_id, Fact(record.offset, None, event.image))

        value = record_of(held, PARTITIONS, RULES, NOW)

        again = parse(event.customer_id.encode(), value, record.partition, PARTITIONS, NOW, RULES)
        assert (again.image, again.entity_id, again.customer_id) == (event.image, event.entity_id, event.customer_id)
