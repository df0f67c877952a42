"""The names of datasets in events, by OpenLineage's conventions. Pure.

A dataset's name is unique in its namespace, which is that of the system that holds it.
"""

from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote, urlsplit

from common.settings import Settings
from common.tables import Tables

FILES: Final = "file"
"""The namespace of files: a name is a path on the machine that imported it."""
PRODUCERS: Final = "cloudevents"
"""The namespace of records' origins that are no files: a name is the `source` of their envelope."""
ORIGINS: Final = (FILES, PRODUCERS)


@dataclass(frozen=True, slots=True)
class Name:
    """A dataset's name."""

    namespace: str
    name: str


@dataclass(frozen=True, slots=True)
class Names:
    """The datasets of one deployment."""

    settings: Settings

    @property
    def topic(self) -> Name:
        """The log."""
        return Name(f"kafka://{self.settings.bootstrap_servers.split(',')[0].strip()}", self.settings.log.topic)

    def iceberg(self, table: str) -> Name:
        """A table of the warehouse, by its place: `events` is the master."""
        place = f"{self.settings.warehouse.rstrip('/')}/{self.settings.cassandra.keyspace}/{table}"
        found = urlsplit(place)
        if found.scheme in ("", "file"):
            return Name(FILES, found.path)
        return Name(f"{found.scheme}://{found.netloc}", found.path.lstrip("/"))

    def view(self, slot: str) -> Name:
        """A slot's table."""
        namespace = f"cassandra://{self.settings.cassandra_hosts[0]}:{self.settings.cassandra_port}"
        return Name(namespace, f"{self.settings.cassandra.keyspace}.{Tables.batch_view(slot)}")

    @property
    def job(self) -> Name:
        """The nightly job."""
        return Name(self.settings.lineage.namespace, f"{self.settings.cassandra.keyspace}.batch")

    @property
    def answers(self) -> Name:
        """What the API answers: every metric, from the current view and the deltas since its cut."""
        return Name(self.settings.lineage.namespace, f"{self.settings.cassandra.keyspace}.answers")


def origin(text: str) -> Name:
    """Returns the dataset of records whose envelope has the `source` `text`: a file by its path, or a producer."""
    if text.startswith("file://"):
        return Name(FILES, unquote(urlsplit(text).path))
    if text.startswith("file:"):  # the end of a path that was too long for a source
        return Name(FILES, unquote(text.removeprefix("file:")))
    return Name(PRODUCERS, text)
