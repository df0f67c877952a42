"""Kafka as a local server: one KRaft node that is broker and controller."""

import subprocess
import uuid
from base64 import urlsafe_b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from common.errors import StackError
from common.settings import Settings
from infra.local.stack import ports
from infra.local.stack.home import Home
from infra.local.stack.java import find_java, jars
from infra.local.stack.server import java_flags, render


@dataclass(frozen=True, slots=True)
class Kafka:
    """Implements `Server`."""

    name: str = "kafka"

    def ports(self, settings: Settings) -> Mapping[str, int]:
        base = settings.stack.port_base
        return {"clients": base, "controller": base + 1}

    def prepare(self, settings: Settings) -> None:
        folder = self._folder(settings)
        used = self.ports(settings)
        values = {"data": _escaped(folder / "data"), "port": used["clients"], "controller_port": used["controller"]}
        render("server.properties", folder / "server.properties", values)
        render(
            "log4j2.properties", folder / "log4j2.properties", {"file": _escaped(Home.of(settings).logs / "kafka.log")}
        )
        if not (folder / "data" / "meta.properties").exists():
            self._format(settings)

    def command(self, settings: Settings) -> Sequence[str]:
        return [
            *self._java(settings, settings.stack.kafka_heap_mib),
            "kafka.Kafka",
            str(self._folder(settings) / "server.properties"),
        ]

    def answers(self, settings: Settings) -> bool:
        port = self.ports(settings)["clients"]
        if not ports.is_open(port):
            return False
        client = AdminClient({"bootstrap.servers": f"127.0.0.1:{port}", "log_level": 0})
        try:
            # Not `describe_cluster`: librdkafka 2.16 ends the process if the cluster has no controller yet.
            return client.list_topics(timeout=2.0).controller_id >= 0
        except KafkaException:
            return False

    def _format(self, settings: Settings) -> None:
        cluster = urlsafe_b64encode(uuid.uuid4().bytes).decode("ascii").rstrip("=")
        properties = str(self._folder(settings) / "server.properties")
        identity = f"--cluster-id={cluster}"  # one id in 64 begins with a dash, and would be taken for an option
        tool = [*self._java(settings, 128), "kafka.tools.StorageTool", "format", identity, "-c", properties]
        done = subprocess.run(
            tool, capture_output=True, text=True, check=False, timeout=settings.stack.start_timeout_seconds
        )
        if done.returncode != 0:
            raise StackError(f"Kafka's data folder could not be made: {(done.stderr or done.stdout)[-2000:].strip()}")

    def _java(self, settings: Settings, heap_mib: int) -> list[str]:
        return [
            str(find_java()),
            *java_flags(heap_mib, Home.of(settings).logs),
            f"-Dlog4j2.configurationFile={(self._folder(settings) / 'log4j2.properties').as_uri()}",
            "-cp",
            f"{jars('kafka')}/*",
        ]

    def _folder(self, settings: Settings) -> Path:
        return Home.of(settings).path / "kafka"


def _escaped(path: Path) -> str:
    """Returns the path as a value for a Java properties file."""
    return str(path).replace("\\", "\\\\")
