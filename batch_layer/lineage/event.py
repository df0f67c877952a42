"""A kept event as this release reads it: what questions about lineage need of it. Pure; knows no Spark.

Unknown facets are passed over, so events of later releases are readable, and so are further outputs.
"""

from collections.abc import Iterable
from typing import Final

import msgspec

from batch_layer.lineage.event_facets import Facets, InputFacets, Kind, OutputFacets


class Dataset(msgspec.Struct, frozen=True, rename="camel"):
    """An input or an output."""

    namespace: str
    name: str
    facets: Facets = Facets()
    input_facets: InputFacets = InputFacets()
    output_facets: OutputFacets = OutputFacets()

    @property
    def short(self) -> str:
        """The name without what stands before its last part: `events`, `batch_view_a`; of an origin all of it."""
        if self.is_origin:
            return self.name
        last = self.name.rpartition("/")[2]
        return last if self.namespace.startswith("kafka:") else last.rpartition(".")[2]

    @property
    def is_origin(self) -> bool:
        """Whether it is a file or a producer that records came from."""
        return self.input_facets.origin is not None

    @property
    def kinds(self) -> tuple[Kind, ...]:
        """Of an origin, the kinds of the records that it added."""
        return () if self.input_facets.origin is None else self.input_facets.origin.kinds

    @property
    def rows(self) -> int | None:
        """How many rows of it were read, or written."""
        read = self.input_facets.statistics.row_count
        return self.output_facets.statistics.row_count if read is None else read

    @property
    def version(self) -> str:
        """The version of it that was read or written; empty where it has none."""
        return "" if self.facets.version is None else self.facets.version.value

    @property
    def columns(self) -> tuple[str, ...]:
        """Its columns; one within another is spelled `state.revenue`."""
        of = self.facets.schema.fields
        return tuple(name for each in of for name in (each.name, *(f"{each.name}.{one.name}" for one in each.fields)))


class BatchRun(msgspec.Struct, frozen=True, rename="camel"):
    """The attempt that an event is of."""

    batch_id: int
    attempt: int
    step: str = ""
    slot: str = ""


class RunFacets(msgspec.Struct, frozen=True):
    """Of a run."""

    batch: BatchRun = msgspec.field(name="lambda360_run")


class Run(msgspec.Struct, frozen=True):
    """A run of OpenLineage: an attempt of a batch."""

    id: str = msgspec.field(name="runId")
    facets: RunFacets = msgspec.field()


class Event(msgspec.Struct, frozen=True):
    """One event of an attempt of a batch."""

    type: str = msgspec.field(name="eventType")
    time: str = msgspec.field(name="eventTime")
    run: Run = msgspec.field()
    inputs: tuple[Dataset, ...] = ()
    outputs: tuple[Dataset, ...] = ()

    @property
    def batch_id(self) -> int:
        return self.run.facets.batch.batch_id

    @property
    def attempt(self) -> int:
        return self.run.facets.batch.attempt

    @property
    def is_published(self) -> bool:
        """Whether it is the end of a run that was published."""
        return self.type == "COMPLETE"

    @property
    def step(self) -> str:
        """The open step, or the last one."""
        return self.run.facets.batch.step

    @property
    def slot(self) -> str:
        return self.run.facets.batch.slot


def decode(line: bytes) -> Event:
    """Returns the event in one line of JSON. Raises msgspec.DecodeError if it is none of a batch run."""
    return _EVENT.decode(line)


def ends_of(events: Iterable[Event]) -> list[Event]:
    """Returns the last event of each batch that says what its run read and wrote, in the order of the batches."""
    by_batch = {each.batch_id: each for each in events if each.is_published or each.type == "FAIL"}
    return [by_batch[batch_id] for batch_id in sorted(by_batch)]


_EVENT: Final = msgspec.json.Decoder(Event)
