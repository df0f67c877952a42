"""The options of the driver's JVM, by how much it has to do: it starts quickly, or it computes quickly."""

from contextlib import suppress
from typing import Final

from cassandra.cluster import Session

from common.algebra.cut import Cut
from common.algebra.pointer import cut_of
from common.errors import LogUnavailable
from common.servers import kafka, log_identity, pointer_row
from common.servers.patience import patiently
from common.settings import Settings

LONG_RECORDS: Final = 1_000_000
"""From so many records of history on, the time to compute counts more than the time to start.

A run of 70,000 records took 28 s of CPU with the quick start, and 58 s without. Archiving 2 million records took 91 s
with it, and 62 s without.
"""
QUICK_START: Final = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC -Xshare:auto -Xlog:disable"
"""The first compiler alone."""
LONG_WORK: Final = "-XX:+UseParallelGC -Xshare:auto -Xlog:disable"
"""Both compilers: in local mode, the driver is the engine."""
KAFKA_SECONDS: Final = 3.0
"""How long `history` waits for Kafka."""


def options(records: int) -> str:
    """Returns the options for work on a history of so many records. On a cluster, the driver computes nothing."""
    return QUICK_START if records < LONG_RECORDS else LONG_WORK


def history(session: Session, settings: Settings) -> int:
    """Returns how many records the log has had, as far as the current batch and Kafka tell; 0 if neither does.

    It is for a choice of options only, so a Kafka that does not answer raises nothing here.
    """
    pointer = pointer_row.patient_read(session)
    identity = patiently(lambda: log_identity.find(session, settings.log.topic), "reading the log's identity")
    cut = cut_of(pointer.published)
    if identity is not None:
        with suppress(LogUnavailable):
            ends = kafka.end_offsets(settings, identity.partitions, timeout_seconds=KAFKA_SECONDS)
            cut = cut.at_least(Cut.of(ends))
    return cut.records_above(Cut.zero())
