"""R24's proof: after `erase` and `maintain --erasures` an erased customer's records are found in no file at all."""

import gzip
import json
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final

import httpx
import pytest
from click.testing import CliRunner

from batch_layer.view import publish
from batch_layer.view.verify import read_back
from common.algebra.pointer import Claim
from common.log.partition import partition_of
from common.servers import journal
from common.servers.journal import Entry
from common.servers.producer import producer
from common.settings import Settings
from infra.cli import lambda360
from infra.local.stack import ports
from infra.local.stack.home import Home
from infra.operate.erasure.nodes import nodetool
from tests.support.batch_system import rows_of
from tests.support.builders import Message, marketing, order, profile, refund, ticket
from tests.support.harness import Child, running, wait_until
from tests.support.jobs import Jobs
from tests.support.residue import records_in, search
from tests.support.speed_system import PARTITIONS, produce, wait_applied

pytestmark = [pytest.mark.spark, pytest.mark.slow, pytest.mark.timeout(2400)]

ERASED: Final = "zq-forget-me"
OTHER: Final = "zq-remember-me"
BACK: Final = "zq-came-back"
PAYLOADS: Final = (
    "zq-order",
    "zq-poison",
    "zq-misplaced",
    "zq-category",
    "zq-campaign",
    "zq-segment",
    "731337",
    "4711.13",
    "2019-03-17",
)
"""Texts that the erased customer's records hold, and no other record."""
CODECS: Final = ("gzip", "snappy", "lz4", "zstd", "none")


def told(customer_id: str) -> list[Message]:
    """Records of every kind with texts that are found again; two are rejected, one of them in another partition."""
    own = partition_of(customer_id, PARTITIONS)
    misplaced = order(customer_id, "zq-misplaced-1", "2019-03-17", "7313.37")
    return [
        order(customer_id, "zq-order-1", "2019-03-17", "7313.37"),
        refund(customer_id, "zq-order-2", "2019-03-17", "7313.37"),
        ticket(customer_id, "zq-order-3", "2019-03-17", category="zq-category"),
        marketing(customer_id, "zq-order-4", "2019-03-17", campaign_id="zq-campaign"),
        profile(customer_id, segment="zq-segment"),
        order(customer_id, "zq-poison-1", "2019-03-17", "-4711.13"),
        misplaced._replace(partition=(own + 1) % PARTITIONS),
    ]


class System:
    """The system under proof: its files are the servers' home and its own."""

    def __init__(self, stack: Settings, jobs: Jobs) -> None:
        self.stack = stack
        self.jobs = jobs
        self.settings = jobs.settings
        self.folders = [Home.of(stack).path, self.settings.home]

    def command(self, *arguments: str) -> str:
        done = CliRunner().invoke(lambda360, arguments, obj=self.settings, standalone_mode=False)
        assert done.exception is None, (arguments, done.output, done.exception)
        return done.output

    def batch(self, *arguments: str) -> str:
        return Child(self.settings, "batch", *arguments).finish(600)

    def maintained(self) -> Any:
        """The account of a maintenance."""
        return json.loads(self.batch("maintain", "--erasures", "--json").splitlines()[-1])

    def applied(self) -> None:
        with running(self.settings, "speed", "run") as worker:
            wait_applied(self.settings, worker)

    def found(self, *needles: str) -> dict[str, set[str]]:
        return search(self.folders, needles)

    def segments(self) -> Iterator[Path]:
        topics = (self.settings.log.topic, self.settings.log.deltas_topic, self.settings.log.errors_topic)
        for topic in topics:
            yield from (Home.of(self.stack).path / "kafka" / "data").glob(f"{topic}-*/*.log")

    def slots(self) -> dict[int, dict[str, str]]:
        """The rows of each batch in a slot."""
        session = self.jobs.session
        return {batch.batch_id: rows_of(session, batch) for batch in publish.read(session).complete}


@pytest.fixture
def system_under_proof(stack: Settings, jobs: Jobs) -> System:
    return System(stack, jobs)


def fill(system: System, tmp_path: Path) -> Path:
    """Leaves the customer in every place there is, and returns the file of rejected rows."""
    for number, codec in enumerate(CODECS):
        messages = [*told(ERASED), order(OTHER, f"o{number}"), order(BACK, f"o{number}")]
        produce(system.settings, messages, producer(system.settings, **{"compression.type": codec}))
    file = tmp_path / "orders.csv"
    file.write_text(
        "order_id,customer_id,order_date,total_amount,status,updated_at\n"
        f"zq-order-9,{ERASED},2019-03-17,none,completed,2019-03-17\n"
        f"o9,{OTHER},2019-03-18,none,completed,2019-03-18\n"
    )
    code = CliRunner().invoke(lambda360, ["import", "order", str(file)], obj=system.settings, standalone_mode=False)
    assert code.return_value == 3, code.output
    file.unlink()
    system.applied()
    logs = system.settings.home / "logs"
    line = f"event=request path=/v1/customers/{ERASED}/metrics status=200\n"
    (logs / "serve.log").write_text(f"event=request path=/v1/customers/{OTHER}/metrics status=200\n{line}")
    (logs / "serve.log.1.gz").write_bytes(gzip.compress(line.encode()))
    entry = Entry(at=1, who="op", action="accept-drift", what=f"customers '{ERASED}', '{OTHER}'", reason="")
    journal.record(system.jobs.session, entry)
    system.batch("run")
    produce(system.settings, [order(OTHER, "o7")])
    system.applied()
    system.batch("run")
    leftover = system.settings.home / "spark" / "tmp" / "blockmgr-of-a-killed-run"
    leftover.mkdir()
    (leftover / "shuffle.data").write_text(f"{ERASED} zq-order-1")
    nodetool(system.settings, "flush", system.settings.cassandra.keyspace)
    return tmp_path / "orders.csv.rejected.jsonl"


def answer(settings: Settings, customer_id: str) -> tuple[int, Any]:
    """The status and the body of the customer's answer by an API of its own, once that has found Cassandra."""
    port = next(port for port in range(18_360, 19_300) if ports.is_free(port))
    serving = settings.serving.model_copy(update={"port": port})
    url = f"http://127.0.0.1:{port}/v1/customers/{customer_id}/metrics"
    found: list[tuple[int, Any]] = []

    def answered() -> bool:
        response = httpx.get(url, timeout=60.0)
        found.append((response.status_code, response.json()))
        return found[-1][0] != HTTPStatus.SERVICE_UNAVAILABLE

    with running(settings.model_copy(update={"serving": serving}), "serve"):
        wait_until(lambda: not ports.is_free(port), 60, "the API listens")
        wait_until(answered, 60, "the API has found Cassandra")
    return found[-1]


def test_r24_an_erased_customers_records_are_in_no_file_and_the_id_in_its_record_and_markers_only(
    system_under_proof: System, tmp_path: Path
) -> None:
    system = system_under_proof
    rejects = fill(system, tmp_path)
    system.folders.append(tmp_path)
    before = system.found(ERASED, *PAYLOADS)
    slots = system.slots()
    assert {needle for needle, files in before.items() if not files} == set(), "the search finds what is there"
    for place in ("kafka/data", "-Data.db", "commitlog", ".parquet", "serve.log", ".gz", ".rejected.jsonl", "blockmgr"):
        assert any(place in file for file in before[ERASED]), place
    system.command("erase", ERASED, BACK, "--yes")
    produce(system.settings, [order(BACK, "new")])
    system.applied()
    system.batch("run")

    account = system.maintained()

    assert (account["erasures"], account["waiting"], account["by_hand"]) == (2, [], [])
    assert [place["left"] for place in account["places"]] == [[]] * len(account["places"])
    wait_until(lambda: not payloads_in(system.segments()), 120, "Kafka removes its segments")
    after = system.found(*PAYLOADS)
    assert {needle: files for needle, files in after.items() if files} == {}
    allowed = allowed_files(system)
    strange = {file for file in system.found(ERASED)[ERASED] if not any(part in file for part in allowed)}
    assert strange == set()
    assert OTHER in rejects.read_text()
    assert f"/v1/customers/{OTHER}/metrics" in (system.settings.home / "logs" / "serve.log").read_text()
    assert_slots_hold_what_is_left(system, slots)
    again = {place["name"]: place["figures"] for place in system.maintained()["places"]}
    assert (again["dead letters"], again["slots"]) == ("0 rows", "0 rows")
    assert again["master"].startswith("0 records")
    system.applied()  # maintenance has ended the log's segments by records that nobody reads
    held = [str(batch.batch_id) for batch in publish.read(system.jobs.session).complete]
    oldest, *_, newest = sorted(held, key=int)
    for step in (("verify", oldest), ("rollback",), ("rollback",), ("rollback", "--to", newest), ("run", "--force")):
        system.batch(*step)
        status, body = answer(system.settings, ERASED)
        assert status == 404, body
        assert "unknown-customer" in body["type"]
        assert answer(system.settings, BACK)[1]["metrics"]["order_count"] == 1


def payloads_in(segments: Iterator[Path]) -> list[Path]:
    return [
        path
        for path in segments
        for _, _, value in records_in(path)
        if any(needle.encode() in value for needle in PAYLOADS)
    ]


def allowed_files(system: System) -> tuple[str, ...]:
    """The erasure's record is in the log and in the master; its markers are in the facts and the deltas."""
    keyspace = f"cassandra/data/data/{system.settings.cassandra.keyspace}"
    return (
        f"kafka/data/{system.settings.log.topic}-",
        f"{keyspace}/speed_facts-",
        f"{keyspace}/speed_deltas-",
        f"warehouse/{system.settings.cassandra.keyspace}/events/data",
    )


def assert_slots_hold_what_is_left(system: System, before: dict[int, dict[str, str]]) -> None:
    """R17: each older batch lost the rows of the erased, and no other; its figures in the pointer say so."""
    job = system.jobs()
    after = system.slots()
    for batch in publish.read(system.jobs.session).complete:
        if batch.batch_id in before:
            expected = {k: v for k, v in before[batch.batch_id].items() if k not in (ERASED, BACK)}
            assert after[batch.batch_id] == expected
        digest = read_back(job, Claim(batch.batch_id, batch.slot, batch.plan))
        assert (digest.rows, digest.checksum) == (batch.rows, batch.checksum)
