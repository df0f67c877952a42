"""The checks of `lambda360 doctor`. Each finding says whether it is well, and what to do if it is not."""

import shutil
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from typing import Final

import httpx
from cassandra.cluster import Session
from packaging.requirements import Requirement

from batch_layer import object_store
from batch_layer.jars import jars_of
from common.errors import Lambda360Error
from common.servers import log_identity, pointer_row
from common.servers.cassandra import connected
from common.servers.kafka import topic_identity
from common.settings import PREFIX, Settings
from common.tables import Tables
from infra.local.findings import Finding, of_views
from infra.local.stack import servers
from infra.local.stack.java import MAIN_JARS, find_java, jars
from infra.paths import LOCK_FILE, ROOT
from infra.schema import look, topics

SETUP: Final = "run `make setup`"
UP: Final = "run `lambda360 stack up`"
AS_IT_SAYS: Final = "do what that message says"


def examine(settings: Settings) -> Iterator[Finding]:
    """Yields all findings, in the order in which they should be mended."""
    yield from _installed()
    if not (settings.log.bootstrap_servers and settings.cassandra.hosts):
        yield from _local_servers(settings)
    yield from _reachable(settings)
    if object_store.is_s3(settings.warehouse):
        yield _found(f"warehouse at {settings.warehouse}", partial(_warehouse, settings), AS_IT_SAYS)
    yield _api(settings)


def _installed() -> Iterator[Finding]:
    python = sys.version.split()[0]
    yield Finding("Python", (3, 11) <= sys.version_info < (3, 14), python, "use Python 3.11 to 3.13, then `make setup`")
    yield _found("Java 17", lambda: str(find_java()), "install it and set JAVA_HOME")
    maven = shutil.which("mvn")
    yield Finding("Maven", bool(maven), maven or "not found", "install it: set-up fetches jars with it", needed=False)
    wrong = list(_wrong_packages())
    yield Finding("packages", not wrong, "; ".join(wrong[:3]) or "as in requirements.lock", SETUP)
    for part in MAIN_JARS:
        yield _found(f"jars of {part}", partial(_jars, part), SETUP)
    data = ROOT / ".data" / "CDNOW_master.txt"
    yield Finding("demo data", data.exists(), str(data), SETUP, needed=False)


def _jars(part: str) -> str:
    return f"{len(list(jars(part).glob('*.jar')))} in {jars(part)}"


def _wrong_packages() -> Iterator[str]:
    lines = (line.rstrip(" \\") for line in LOCK_FILE.read_text(encoding="utf-8").splitlines() if line[:1].isalnum())
    for requirement in map(Requirement, lines):
        if requirement.marker and not requirement.marker.evaluate():
            continue
        try:
            found = version(requirement.name)
        except PackageNotFoundError:
            found = "nothing"
        if not requirement.specifier.contains(found, prereleases=True):
            yield f"{requirement.name} is {found}, not {requirement.specifier}"


def _local_servers(settings: Settings) -> Iterator[Finding]:
    for server in servers.status(settings):
        detail = f"{server.state}, pid {server.pid or '-'}, port {next(iter(server.ports.values()))}, log {server.log}"
        remedy = f"read its log; run `lambda360 stack down`, then {UP}" if server.state == "silent" else UP
        yield Finding(f"{server.name} here", server.state == "running", detail, remedy)


def _reachable(settings: Settings) -> Iterator[Finding]:
    remedy = f"start it, or correct {PREFIX}LOG_BOOTSTRAP_SERVERS" if settings.log.bootstrap_servers else UP
    yield _found(f"Kafka at {settings.bootstrap_servers}", lambda: f"{topics.brokers(settings)} brokers", remedy)
    nodes = ", ".join(f"{host}:{settings.cassandra_port}" for host in settings.cassandra_hosts)
    try:
        with connected(settings, keyspace=False) as session:
            yield Finding(f"Cassandra at {nodes}", well=True, detail="answers")
            yield from _schema(session, settings)
    except Lambda360Error as error:
        remedy = f"start it, or correct {PREFIX}CASSANDRA_HOSTS" if settings.cassandra.hosts else UP
        yield Finding(f"Cassandra at {nodes}", well=False, detail=str(error), remedy=remedy)


def _warehouse(settings: Settings) -> str:
    object_store.check(settings, jars_of(settings, jars("spark")))
    return f"answers at {settings.batch.s3_endpoint or 'AWS'}"


def _schema(session: Session, settings: Settings) -> Iterator[Finding]:
    keyspace = settings.cassandra.keyspace
    applied = _found(f"keyspace {keyspace}", partial(look.check, session, settings), AS_IT_SAYS)
    yield applied
    if not applied.well:
        return
    session.set_keyspace(keyspace)
    yield _found(f"log {settings.log.topic}", partial(_log, session, settings), AS_IT_SAYS)
    yield _worker(session, settings)
    yield from of_views(session, settings)


def _log(session: Session, settings: Settings) -> str:
    found = log_identity.check(session, topic_identity(settings, settings.log.topic))
    return f"id {found.topic_id}, the one on record"


def _worker(session: Session, settings: Settings) -> Finding:
    query = f"SELECT beat_at FROM {Tables.progress} WHERE generation = %s"
    generation = pointer_row.read(session).generation
    beats = [row.beat_at for row in session.execute(query, (generation,)) if row.beat_at]
    age = time.time() - max(beats, default=0) / 1_000_000
    alive = age < settings.serving.max_behind_seconds
    detail = f"last heartbeat {age:.1f} s ago" if beats else "never ran"
    return Finding("speed worker", alive, detail, "run `lambda360 speed run`", needed=False)


def _api(settings: Settings) -> Finding:
    url = f"http://{settings.serving.host}:{settings.serving.port}/healthz"
    try:
        response = httpx.get(url, timeout=2.0)
    except httpx.HTTPError as error:
        return Finding(f"API at {url}", well=False, detail=str(error), remedy="run `lambda360 serve`", needed=False)
    return Finding(
        f"API at {url}",
        well=response.is_success,
        detail=f"status {response.status_code}",
        remedy="see the log of `lambda360 serve`",
        needed=False,
    )


def _found(subject: str, look: Callable[[], str], remedy: str) -> Finding:
    try:
        return Finding(subject, well=True, detail=look())
    except Lambda360Error as error:
        return Finding(subject, well=False, detail=str(error), remedy=remedy)
