"""R20 to R24 over the real Cassandra and the real `lambda360 serve`: rows written by hand, asked over HTTP."""

import asyncio
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import httpx
import psutil
import pytest
from cassandra.cluster import Session
from cassandra.concurrent import execute_concurrent_with_args
from cassandra.query import tuple_factory
from confluent_kafka import Producer

from common.algebra import pointer
from common.algebra.alerts import LargeRefund, encode_alert, rule_of
from common.algebra.cut import Cut
from common.algebra.facts import Delta, Fact, Image, encode
from common.algebra.measures import contribution
from common.algebra.payloads import Order
from common.algebra.pointer import Plan, Pointer, Published
from common.algebra.view_row import ViewRow
from common.log.copies import Copy, alert_event
from common.log.partition import partition_of
from common.log.position import Position
from common.servers import journal
from common.servers.cassandra import AsyncSession, connected
from common.settings import ServingSettings, Settings
from common.speed_cql import MARKER
from serving_layer.answer.provenance import Release
from serving_layer.read.cassandra_details import CassandraDetails
from serving_layer.read.cassandra_store import CHUNK, CassandraViewStore
from serving_layer.read.details import WishedRollback
from serving_layer.read.store import TooManyDeltas
from serving_layer.read.together import Together
from tests.support import one_server
from tests.support.deltas import changed
from tests.support.harness import Child, running, wait_until
from tests.support.systems import new_system, patient

DAY = 86_400_000_000
PARTITIONS = range(4)


def order(cents: int) -> Order:
    return Order(19_900 * DAY, cents, "completed")


def delta(after: int | None, before: int | None = None) -> str:
    """The cell of a change of one order's cents, or of a reset where `after` is null."""
    if after is None:
        return encode(Delta.reset(0))
    return encode(changed("o1", None if before is None else Image(1, order(before)), Image(1, order(after))))


@dataclass(frozen=True)
class Views:
    """The stored views of one system, written as the layers write them, and its API."""

    settings: Settings
    session: Session
    client: httpx.Client

    def batch(self, batch_id: int, slot: str, cut: int, states: dict[str, int]) -> None:
        """A loaded slot: customers whose one order has so many cents."""
        insert = self.session.prepare(
            f"INSERT INTO batch_view_{slot} (customer_id, batch_id, state) VALUES (?, ?, ?) USING TIMESTAMP ?"
        )
        states_of = {customer: ViewRow(contribution(order(cents))).to_json() for customer, cents in states.items()}
        rows = [(customer, batch_id, state, batch_id) for customer, state in states_of.items()]
        execute_concurrent_with_args(self.session, insert, rows)
        self._cuts[batch_id] = Published(batch_id, slot, self._plan(cut), 1_700_000_000_000_000, len(rows), "x")

    def point_at(self, batch_id: int | None, *others: int) -> None:
        """The pointer names the batch, or none, and the others beside it; and the API has read it."""
        if batch_id is None:
            self.session.execute("DELETE FROM batch_pointer WHERE name = %s", (pointer.NAME,))
        else:
            complete = tuple(self._cuts[each] for each in (batch_id, *others))
            text = pointer.encode(Pointer(max(batch_id, *others, 0), batch_id, complete))
            self.session.execute("INSERT INTO batch_pointer (name, value) VALUES (%s, %s)", (pointer.NAME, text))
        self.wait_for(batch_id)

    def wait_for(self, batch_id: int | None) -> None:
        """Returns when the API has read that this batch is the current one."""
        wait_until(lambda: self._pinned() == batch_id, 30, f"the API has read that batch {batch_id} is current", 0.02)

    def _pinned(self) -> int | None:
        batch = self.get("nobody, whom no batch has").json()["provenance"]["batch"]
        return None if batch is None else int(batch["id"])

    def deltas(self, customer: str, cells: dict[int, str]) -> None:
        insert = self.session.prepare(
            "INSERT INTO speed_deltas (customer_id, kafka_offset, value) VALUES (?, ?, ?) USING TIMESTAMP ?"
        )
        rows = [(customer, offset, cell, offset) for offset, cell in cells.items()]
        execute_concurrent_with_args(self.session, insert, rows)

    def progress(self, next_offset: int) -> None:
        """A speed layer that is well, in every partition."""
        now, version = int(time.time() * 1e6), Release.of(self.settings).validation_version
        for partition in PARTITIONS:
            self.session.execute(
                "INSERT INTO speed_progress (generation, kafka_partition, from_offset, next_offset, end_offset, "
                "validation_version, beat_at, caught_up_at) VALUES (1, %s, 0, %s, %s, %s, %s, %s) USING TIMESTAMP %s",
                (partition, next_offset, next_offset, version, now, now, next_offset),
            )

    def details(self, customer: str, offsets: range, erased_at: int) -> None:
        """A fact and an alert from each record, and the marker of an erasure, which deleted nothing."""
        fact = "INSERT INTO speed_facts (customer_id, kind, entity_id, value) VALUES (%s, %s, %s, %s)"
        alert = "INSERT INTO customer_alerts (customer_id, kafka_offset, rule, value) VALUES (%s, %s, %s, %s)"
        self.session.execute(fact, (customer, *MARKER, str(erased_at)))
        for offset in offsets:
            cell = encode(Fact(offset, None, Image(1, order(500))))
            self.session.execute(fact, (customer, "order", f"o{offset}", cell))
            refund = LargeRefund(1_700_000_000_000_000, "r1", "o1", 99_900, 50_000)
            self.session.execute(alert, (customer, offset, rule_of(refund), encode_alert(refund)))

    def ranking(self, slot: str, batch_id: int, values: dict[str, str]) -> None:
        row = (
            f"INSERT INTO customer_rankings_{slot} (metric, scope, member, customer_id, batch_id, value) "
            "VALUES ('total_revenue', 'all', '', %s, %s, %s)"
        )
        for customer, value in values.items():
            self.session.execute(row, (customer, batch_id, Decimal(value)))
        done = "INSERT INTO ranked_slots (slot, batch_id, as_of, size) VALUES (%s, %s, '2024-06-30', 100)"
        self.session.execute(done, (slot, batch_id))

    def append(self, topic: str, customer: str, value: bytes) -> int:
        """The offset of a message in the customer's partition."""
        offsets: list[int] = []
        producer = Producer({"bootstrap.servers": self.settings.bootstrap_servers})
        producer.produce(
            topic,
            value,
            customer,
            partition_of(customer, 4),
            on_delivery=lambda _, told: offsets.append(told.offset() or 0),
        )
        producer.flush(30)
        return offsets[0]

    def json(self, path: str) -> Any:
        response = self.client.get(path)
        assert response.status_code == 200, response.text
        return response.json()

    def get(self, customer: str) -> httpx.Response:
        return self.client.get(f"/v1/customers/{customer}/metrics")

    def revenue(self, customer: str) -> str:
        response = self.get(customer)
        assert response.status_code == 200, response.text
        assert response.json()["provenance"]["status"] == "exact", response.text
        revenue: str = response.json()["metrics"]["total_revenue"]
        return revenue

    def _plan(self, cut: int) -> Plan:
        release = Release.of(self.settings)
        offsets = Cut.of(dict.fromkeys(PARTITIONS, cut))
        return Plan(1, offsets, release.logic_version, release.validation_version)

    @property
    def _cuts(self) -> dict[int, Published]:
        return _PUBLISHED.setdefault(self.settings.cassandra.keyspace, {})


_PUBLISHED: dict[str, dict[int, Published]] = {}


def free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def serving(settings: Settings) -> Settings:
    serving = ServingSettings(port=free_port(), max_behind_seconds=1800, pin_interval_seconds=0.05)
    return settings.model_copy(update={"serving": serving})


def url_of(settings: Settings) -> str:
    return f"http://127.0.0.1:{settings.serving.port}"


def status_of(client: httpx.Client, path: str) -> int | None:
    """The status of a GET, or null while nobody listens."""
    try:
        return client.get(path).status_code
    except httpx.TransportError:
        return None


def text_of(client: httpx.Client, path: str) -> str:
    """The body of a GET, or an empty one while nobody listens."""
    try:
        return client.get(path).text
    except httpx.TransportError:
        return ""


@pytest.fixture(scope="module")
def views(stack: Settings) -> Iterator[Views]:
    """A system with an API on it, for the whole module: each test has customers of its own."""
    settings = serving(new_system(stack))
    with (
        running(settings, "serve"),
        connected(patient(settings)) as session,
        httpx.Client(base_url=url_of(settings), timeout=30.0) as client,
    ):
        wait_until(lambda: "never ran" in text_of(client, "/readyz"), 60, "the API would answer, and not exactly")
        made = Views(settings, session, client)
        made.progress(100)
        wait_until(lambda: status_of(client, "/readyz") == 200, 60, "the API is ready")
        yield made


def test_both_layers_are_merged_from_their_tables(views: Views) -> None:
    """R20, R21, R22."""
    views.batch(10, "a", 5, {"ada": 1000})
    views.point_at(10)
    views.deltas("ada", {4: delta(77), 5: delta(2000, 1000), 120: delta(2500, 2000)})
    answer = views.get("ada").json()
    assert answer["metrics"]["total_revenue"] == "25.00"
    assert answer["provenance"]["speed"]["deltas"] == 2
    assert answer["provenance"]["batch"]["id"] == 10
    assert answer["provenance"]["log"] == {"partition": partition_of("ada", 4), "next_offset": 121}


def test_the_answer_does_not_move_when_a_batch_lands_or_is_rolled_back(views: Views) -> None:
    """R23: through a reused slot, R20, and back to no batch at all."""
    cells = {2: delta(1000), 11: delta(2000, 1000), 14: delta(3000, 2000)}
    views.deltas("moving", cells)
    views.point_at(None)
    assert views.revenue("moving") == "30.00"
    views.batch(21, "b", 5, {"moving": 1000})
    views.batch(22, "c", 12, {"moving": 2000})
    for batch_id in (21, 22, 21, None, 22):
        views.point_at(batch_id)
        assert views.revenue("moving") == "30.00"


def test_a_reused_slot_is_never_mixed_with_the_old_cut(views: Views) -> None:
    """R20: a newer row under the pin is a 503 until the pointer names its batch; an older one is absent."""
    views.batch(30, "b", 5, {"reused": 1000, "gone": 1000})
    views.point_at(30)
    assert views.revenue("reused") == "10.00"
    views.batch(31, "b", 50, {"reused": 2000})
    response = views.get("reused")
    assert (response.status_code, response.headers["content-type"]) == (503, "application/problem+json")
    views.point_at(31)
    assert views.revenue("reused") == "20.00"
    assert views.get("gone").status_code == 404


def test_a_reset_forgets_the_batch_and_what_the_deltas_said_before(views: Views) -> None:
    """R24."""
    views.batch(40, "a", 5, {"erased": 1000, "returned": 1000})
    views.point_at(40)
    views.deltas("erased", {7: delta(2000, 1000), 9: delta(None)})
    views.deltas("returned", {9: delta(None), 12: delta(300)})
    assert views.get("erased").status_code == 404
    assert views.revenue("returned") == "3.00"


def test_all_pages_of_a_customers_deltas_are_read(views: Views) -> None:
    """More than one of the driver's pages of 5000."""
    views.point_at(None)
    count = 6_000
    cells = {offset: delta(offset + 1, offset or None) for offset in range(count)}
    views.deltas("busy", cells)
    answer = views.get("busy").json()
    assert answer["provenance"]["speed"]["deltas"] == count
    assert answer["metrics"]["total_revenue"] == f"{count // 100}.00"


def test_more_deltas_than_an_answer_adds_up_are_not_read(views: Views) -> None:
    """Of one customer; whoever is read in the same statement is answered."""
    limited = views.settings.model_copy(update={"serving": ServingSettings(customer_deltas=100)})
    views.deltas("full", {offset: delta(offset + 1, offset or None) for offset in range(100)})
    views.deltas("flooded", {offset: delta(offset + 1, offset or None) for offset in range(102)})
    with connected(patient(limited), row_factory=tuple_factory) as session:
        store = CassandraViewStore(session, limited, together=Together(32))

        async def read(*customers: str, cut: int = 0) -> list[Any]:
            asked = (store.deltas(1, [customer], cut) for customer in customers)
            return await asyncio.gather(*asked, return_exceptions=True)

        full, other, flooded = asyncio.run(read("full", "nobody", "flooded"))
        assert (len(full["full"]), other) == (100, {})
        assert isinstance(flooded, TooManyDeltas)
        (above,) = asyncio.run(read("flooded", cut=2))
        assert len(above["flooded"]) == 100


def test_a_batch_get_over_many_statements_answers_each_customer_as_a_get_does(views: Views) -> None:
    customers = [f"many {number} ü%" for number in range(3 * CHUNK)]
    views.batch(50, "c", 5, {customer: 100 * number for number, customer in enumerate(customers) if number % 3})
    views.point_at(50)
    for number, customer in enumerate(customers):
        if number % 3 != 1:
            views.deltas(customer, {60 + number: delta(7)})
    asked = [*customers, "nobody", customers[1]]
    body = {"customer_ids": asked}
    results = views.client.post("/v1/customers/metrics:batch-get", json=body).json()["results"]
    assert [result["customer_id"] for result in results] == asked
    assert [result["status"] for result in results[-2:]] == ["unknown", "ok"]
    for number in (0, 1, 2, 90):
        alone = views.client.get(f"/v1/customers/{customers[number].replace('%', '%25')}/metrics").json()
        assert (alone["metrics"], alone["provenance"]["log"]) == (
            results[number]["metrics"],
            results[number]["provenance"]["log"],
        )
    revenues = [result["metrics"]["total_revenue"] for result in results[:4]]
    assert revenues == ["0.07", "1.00", "2.07", "0.07"]


def test_statements_survive_a_change_of_the_schema(views: Views) -> None:
    """Prepared ones: a column comes and goes, and rows are read meanwhile, as they were."""
    views.batch(55, "b", 5, {"altered": 1000})
    views.point_at(55)
    views.deltas("altered", {7: delta(2000, 1000)})
    for change in ("ADD note text", "DROP note"):
        for table in ("batch_view_b", "speed_deltas", "speed_progress", "batch_pointer"):
            views.session.execute(f"ALTER TABLE {table} {change}")
            assert views.revenue("altered") == "20.00"
    assert views.client.get("/readyz").status_code == 200


def test_two_workers_answer_on_one_port_and_one_that_dies_is_replaced(views: Views) -> None:
    views.point_at(None)
    views.deltas("shared", {7: delta(2000)})
    settings = serving(views.settings)
    with running(settings, "serve", "--workers", "2", name="workers") as parent:
        with httpx.Client(base_url=url_of(settings), timeout=30.0) as client:
            wait_until(lambda: status_of(client, "/readyz") == 200, 60, "a worker is ready")
        wait_until(lambda: len(workers_of(parent)) == 2, 60, "both workers are there")
        first, _ = workers_of(parent)
        first.kill()
        wait_until(lambda: first not in workers_of(parent) and len(workers_of(parent)) == 2, 60, "it is replaced")
        for _ in range(20):
            wait_until(lambda: asked_anew(settings, "shared") == 200, 30, "whoever takes the connection answers")
        left = workers_of(parent)
        assert parent.stop() == 0
        assert not any(worker.is_running() for worker in left)
        assert "Traceback" not in parent.tail()


def workers_of(parent: Child) -> list[psutil.Process]:
    """The processes that answer, without the one that multiprocessing keeps for itself."""
    children = psutil.Process(parent.process.pid).children()
    alive = [each for each in children if each.status() != psutil.STATUS_ZOMBIE]
    return [each for each in alive if any("spawn_main" in word for word in each.cmdline())]


def asked_anew(settings: Settings, customer: str) -> int | None:
    """The status of an answer on a connection of its own."""
    with httpx.Client(base_url=url_of(settings), timeout=30.0) as client:
        return status_of(client, f"/v1/customers/{customer}/metrics")


def test_facts_alerts_rankings_and_runs_are_read_from_their_tables(views: Views) -> None:
    """R17, R20, R24: by the statements that the real Cassandra takes, past the marker of an erasure."""
    views.batch(52, "a", 5, {"beside": 1000, "erased beside": 900})
    views.point_at(52)
    views.deltas("beside", {7: delta(2000, 1000)})
    views.details("beside", offsets=range(3, 7), erased_at=4)
    views.details("erased beside", offsets=range(3), erased_at=9)
    views.ranking("a", 52, {"beside": "10.00", "erased beside": "9.00"})
    plan = '"plan":{"cut":{"offsets":{"0":5}}}'
    insert = "INSERT INTO batches (name, batch_id, manifest) VALUES (%s, 52, %s)"
    views.session.execute(insert, (pointer.NAME, f'{{"batch_id":52,"status":"published",{plan}}}'))

    facts = views.json("/v1/customers/beside/facts?limit=1")
    more = views.json(f"/v1/customers/beside/facts?limit=1&cursor={facts['next_cursor']}")
    assert [each["entity_id"] for each in (*facts["items"], *more["items"])] == ["o5", "o6"]
    assert more["next_cursor"] is None
    assert views.json("/v1/customers/beside/facts?kind=refund")["items"] == []
    alerts = views.json("/v1/customers/beside/alerts?limit=1")
    later = views.json(f"/v1/customers/beside/alerts?limit=5&cursor={alerts['next_cursor']}")
    at = f"{partition_of('beside', 4)}:"
    assert [each["position"] for each in (*alerts["items"], *later["items"])] == [f"{at}6", f"{at}5"]
    listed = views.json("/v1/customers?rank_by=total_revenue")
    assert [(each["customer_id"], each["value"]) for each in listed["items"]] == [("beside", "10.00")]
    assert views.json("/v1/batches/current")["id"] == 52
    assert views.json("/v1/customers/beside/metrics?batch=52")["metrics"]["total_revenue"] == "10.00"
    assert views.json("/v1/customers/beside/explain")["deltas"][0]["happened"] == "changed"
    assert len(views.json("/v1/status")["speed"]) == 4


def test_r17_a_rollback_of_the_api_is_the_commands_and_stands_in_the_journal(views: Views) -> None:
    views.batch(53, "b", 5, {"rolled": 1000})
    views.batch(54, "c", 5, {"rolled": 2000})
    views.point_at(54, 53)
    assert views.revenue("rolled") == "20.00"

    with connected(views.settings, row_factory=tuple_factory) as session:
        details = CassandraDetails(AsyncSession(session, 4), views.settings.cassandra.keyspace, asyncio.to_thread)
        done = asyncio.run(details.roll_back(WishedRollback(None, at=7, who="api:grace", reason="wrong prices")))

    assert (done.left, done.to.batch_id) == (54, 53)
    views.wait_for(53)
    assert views.revenue("rolled") == "10.00"
    entry = journal.entries(views.session, 1)[0]
    assert (entry.who, entry.what, entry.done) == ("api:grace", "from batch 54 to batch 53", True)


def test_origins_and_everybodys_alerts_are_read_from_kafka(views: Views) -> None:
    """Where the deltas have expired: at the position itself, committed; alerts newest first, page by page."""
    views.point_at(None)
    views.deltas("sourced", {90: delta(100)})
    partition = partition_of("sourced", 4)
    envelope = b'{"specversion":"1.0","source":"file:///data/orders.csv","sourcerow":12}'
    offset = views.append(views.settings.log.topic, "sourced", envelope)
    fact = Fact(offset, None, Image(1, order(500)))
    insert = "INSERT INTO speed_facts (customer_id, kind, entity_id, value) VALUES (%s, 'order', 'o1', %s)"
    views.session.execute(insert, ("sourced", encode(fact)))
    alert = LargeRefund(1_700_000_000_000_000, "r1", "o1", 99_900, 50_000)
    for number in range(5):
        copy = Copy(Position(partition, 200 + number), "sourced", changed("o1", None, Image(1, order(5))), (alert,))
        views.append(views.settings.log.alerts_topic, "sourced", alert_event(copy, alert))

    (found,) = views.json("/v1/customers/sourced/facts")["items"]
    assert found["origin"] == {"source": "file:///data/orders.csv", "file": "/data/orders.csv", "row": 12}

    ids, url = [], f"/v1/alerts?limit=2&day={datetime.now(UTC):%Y-%m-%d}"
    page = views.json(url)
    while page["next_cursor"] is not None:
        ids += [each["id"] for each in page["items"]]
        page = views.json(f"{url}&cursor={page['next_cursor']}")
    ids += [each["id"] for each in page["items"]]
    assert ids == [f"{partition}:{200 + number}:large_refund" for number in (4, 3, 2, 1, 0)]
    for day in ("2001-01-01", "0001-01-01", "1969-12-31", "9999-12-31"):
        assert views.json(f"/v1/alerts?day={day}") == {"items": [], "next_cursor": None}


def test_a_taken_port_is_named_with_its_holder_and_sigterm_is_a_clean_stop(views: Views) -> None:
    second = Child(views.settings, "serve", name="second")
    assert second.process.wait(60) == 1
    assert f"LAMBDA360_SERVING_PORT: {views.settings.serving.port}" in second.tail()
    assert "Traceback" not in second.tail()
    third_settings = serving(views.settings)
    third = Child(third_settings, "serve", name="third")
    with httpx.Client(base_url=url_of(third_settings)) as client:
        wait_until(lambda: status_of(client, "/readyz") == 200, 60, "the third API is ready")
    assert third.stop() == 0
    assert "Traceback" not in third.tail()


def test_while_cassandra_is_silent_or_down_it_is_a_503_and_right_again_by_itself(views: Views, stack: Settings) -> None:
    """Also for an API that was started while Cassandra was down."""
    views.batch(60, "a", 5, {"patient": 1000})
    views.point_at(60)
    assert views.revenue("patient") == "10.00"
    one_server.send(stack, "cassandra", signal.SIGSTOP)
    try:
        assert seconds_of_a_503(views) < 8
    finally:
        one_server.send(stack, "cassandra", signal.SIGCONT)
    wait_until(lambda: views.get("patient").status_code == 200, 60, "right again after SIGCONT")
    one_server.stop(stack, "cassandra")
    late_settings = serving(views.settings)
    try:
        assert seconds_of_a_503(views) < 8
        assert views.client.get("/healthz").status_code == 200
        assert views.client.get("/readyz").json()["reasons"]
        with running(late_settings, "serve", name="late"), httpx.Client(base_url=url_of(late_settings)) as late:
            wait_until(lambda: status_of(late, "/healthz") == 200, 60, "the late API lives")
            assert status_of(late, "/readyz") == 503
            one_server.start(stack, "cassandra")
            wait_until(lambda: status_of(late, "/readyz") == 200, 60, "the late API is ready")
            wait_until(lambda: views.get("patient").status_code == 200, 60, "the first API is right again")
            assert views.revenue("patient") == "10.00"
    finally:
        one_server.start(stack, "cassandra")


def seconds_of_a_503(views: Views) -> float:
    """How long a request took to be refused as RFC 9457 demands."""
    started = time.monotonic()
    response = views.get("patient")
    assert (response.status_code, response.headers["content-type"]) == (503, "application/problem+json")
    return time.monotonic() - started
