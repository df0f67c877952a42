"""Cassandra as a local server of one node."""

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from common.errors import StoreUnavailable
from common.servers.cassandra import connected
from common.settings import CassandraSettings, Settings
from infra.local.stack import ports
from infra.local.stack.home import Home
from infra.local.stack.java import find_java, jars
from infra.local.stack.server import java_flags, render


@dataclass(frozen=True, slots=True)
class Cassandra:
    """Implements `Server`."""

    name: str = "cassandra"

    def ports(self, settings: Settings) -> Mapping[str, int]:
        base = settings.stack.port_base
        return {"clients": base + 2, "storage": base + 3, "jmx": base + 4}

    def prepare(self, settings: Settings) -> None:
        folder = self._folder(settings)
        used = self.ports(settings)
        data = json.dumps(str(folder / "data")).removeprefix('"').removesuffix('"')  # YAML escapes a text as JSON does
        values = {"port": used["clients"], "storage_port": used["storage"], "data": data}
        render("cassandra.yaml", folder / "cassandra.yaml", values)
        render("logback.xml", folder / "logback.xml", {"folder": _escaped(Home.of(settings).logs)})

    def command(self, settings: Settings) -> Sequence[str]:
        folder = self._folder(settings)
        libraries = jars("cassandra")
        (agent,) = libraries.glob("jamm-*.jar")
        return [
            str(find_java()),
            *java_flags(settings.stack.cassandra_heap_mib, Home.of(settings).logs),
            *jvm_arguments(),
            f"-javaagent:{agent}",
            f"-Dcassandra.jmx.local.port={self.ports(settings)['jmx']}",
            f"-Dcassandra.config={(folder / 'cassandra.yaml').as_uri()}",
            f"-Dcassandra.storagedir={folder / 'data'}",
            f"-Dcassandra.logdir={Home.of(settings).logs}",
            f"-Dlogback.configurationFile={(folder / 'logback.xml').as_uri()}",
            "-cp",
            f"{libraries}/*",
            "org.apache.cassandra.service.CassandraDaemon",
        ]

    def answers(self, settings: Settings) -> bool:
        port = self.ports(settings)["clients"]
        if not ports.is_open(port):
            return False
        local = settings.model_copy(update={"cassandra": CassandraSettings(port=port, request_timeout_seconds=5.0)})
        with suppress(StoreUnavailable), connected(local, keyspace=False) as session:
            return session.execute("SELECT release_version FROM system.local").one() is not None
        return False

    def _folder(self, settings: Settings) -> Path:
        return Home.of(settings).path / "cassandra"


def jvm_arguments() -> list[str]:
    """Returns what the JVM of Cassandra, and of its tools, must be told to open to it."""
    return files("infra.local.stack").joinpath("templates", "cassandra.jvm.args").read_text(encoding="utf-8").split()


def _escaped(path: Path) -> str:
    """Returns the path as text for an XML file."""
    return str(path).replace("&", "&amp;").replace("<", "&lt;")
