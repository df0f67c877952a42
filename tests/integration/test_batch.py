"""R15, R17, R19 and R24 on real servers: one batch after another on one log, and what refuses to go on."""

import json
import re

import pytest
from click.testing import CliRunner
from confluent_kafka import TopicPartition

from batch_layer.master import archive
from batch_layer.master import table as master
from batch_layer.run import run
from batch_layer.view import load, publish, verify
from batch_layer.view.recompute import recomputed
from common.algebra.cut import Cut
from common.algebra.pointer import Claim, Plan, Published
from common.errors import BatchError, DriftFound, LogError
from common.servers import rollback
from common.servers.kafka import admin, end_offsets
from common.servers.log_identity import LogIdentity
from common.settings import Settings
from infra.cli import lambda360
from infra.proof.log_reader import LogReader
from tests.support.batch_system import expected, produce, served
from tests.support.builders import erasure, marketing, order, random_messages, refund, ticket
from tests.support.jobs import Jobs

pytestmark = pytest.mark.spark


def ends(settings: Settings) -> dict[int, int]:
    return dict(end_offsets(settings, 4))


def test_batches_follow_the_log_and_a_run_without_news_says_so(jobs: Jobs) -> None:
    """R15 to R17: on a growing log with erasures, poison and aborted transactions; then no news; then forced."""
    settings, messages = jobs.settings, list(random_messages(seed=21, count=900, customers=30))
    published: list[Published] = []
    for number in range(3):
        produce(settings, messages[number * 300 : number * 300 + 300])
        produce(settings, [order("aborted", "o1"), order("ada", "o1")], **{"transactional.id": f"t{number}"})
        done = run(jobs())
        assert done is not None
        published.append(done)
        assert done.plan.cut.offsets == ends(settings)
        assert served(jobs) == expected(settings, done.plan.cut)
        assert len(served(jobs)) == done.rows > 0
    assert [(batch.batch_id, batch.slot) for batch in published] == [(1, "a"), (2, "b"), (3, "c")]
    before = publish.read(jobs.session)

    assert run(jobs()) is None
    assert publish.read(jobs.session) == before

    again = run(jobs(), force=True)
    assert again is not None
    assert (again.batch_id, again.slot, again.plan, again.checksum) == (
        4,
        "a",
        before.complete[-1].plan,
        before.complete[-1].checksum,
    )
    listed = CliRunner().invoke(lambda360, ["batch", "list"], obj=settings).output.splitlines()
    assert [line.split()[:3] for line in listed[1:]] == [
        ["4", "a", "current"],
        ["3", "c", "kept"],
        ["2", "b", "kept"],
        ["1", "a", "replaced"],
    ]


def test_the_master_holds_every_committed_record_once_however_often_it_is_archived(jobs: Jobs) -> None:
    """R15: repeated runs add nothing; an archiver that planned before another one committed loses, and plans again."""
    settings = jobs.settings
    produce(settings, random_messages(seed=22, count=120))
    first, late = jobs(), jobs()
    identity = archive.checked_identity(first)
    end = Cut.of(ends(settings))
    master.ensure(first)
    assert archive.append(first, identity, None, end)[0] == 120
    with pytest.raises(master.Conflict):
        archive.append(late, identity, None, end)
    head = master.head(late)
    assert head is not None
    assert archive.archive(late) == archive.Archived(head.snapshot, end, head.validation_version)

    produce(settings, random_messages(seed=23, count=50))
    planned = master.head(first)
    assert archive.archive(late).records == 50
    with pytest.raises(master.Conflict):
        archive.append(first, identity, planned, Cut.of(ends(settings)))
    after = archive.archive(first)
    assert (after.records, after.cut.offsets) == (0, ends(settings))
    rows = master.at_snapshot(first, after.snapshot).select("kafka_partition", "kafka_offset", "key", "value").collect()
    log = LogReader(settings, 4).refresh()
    kept = {(r[0], r[1], r[2] and bytes(r[2]), r[3] and bytes(r[3])) for r in rows}
    assert len(rows) == len(log)
    assert kept == {(record.partition, record.offset, record.key, record.value) for record in log}


def test_an_empty_log_and_one_with_only_aborted_records_make_empty_batches(jobs: Jobs) -> None:
    """R1, R15: read committed; the cut moves over what was aborted."""
    empty = run(jobs())
    assert empty is not None
    assert (empty.rows, empty.plan.cut.offsets) == (0, dict.fromkeys(range(4), 0))
    assert run(jobs()) is None
    produce(jobs.settings, [order("ada", "o1")] * 3, **{"transactional.id": "t"})
    done = run(jobs())
    assert done is not None
    assert (done.rows, done.plan.cut.offsets) == (0, ends(jobs.settings))
    assert max(ends(jobs.settings).values()) >= 4


def test_an_erased_customer_is_gone_until_new_facts_come(jobs: Jobs) -> None:
    """R24: through batches, and by one slot's rows that an older batch left."""
    settings = jobs.settings
    for batch, messages in enumerate(
        ([order("ada", "o1"), order("bob", "o1")], [erasure("ada"), ticket("bob", "t1")], [refund("ada", "r1")]), 1
    ):
        produce(settings, messages)
        done = run(jobs())
        assert done is not None
        assert done.batch_id == batch
        assert served(jobs) == expected(settings, done.plan.cut)
        assert ("ada" in served(jobs)) is (batch in {1, 3})


def test_a_hole_in_the_log_is_refused(jobs: Jobs) -> None:
    """R15: what Kafka no longer holds cannot be archived, and nothing is archived around it."""
    settings = jobs.settings
    produce(settings, [marketing("ada", f"e{n}") for n in range(6)])
    assert run(jobs()) is not None
    before, head = publish.read(jobs.session), master.head(jobs())
    produce(settings, [marketing("ada", f"f{n}") for n in range(6)])
    (partition, end), *_ = [(p, end) for p, end in ends(settings).items() if end]
    at = TopicPartition(settings.log.topic, partition, end - 2)
    client = admin(settings)  # it must outlive its futures
    for deleted in client.delete_records([at]).values():
        deleted.result(30)
    with pytest.raises(LogError, match=f"never archived, so nothing was archived: {partition}:6:{end - 2} "):
        run(jobs())
    after = publish.read(jobs.session)
    assert (after.published, after.claims, master.head(jobs())) == (before.published, (), head)


def test_another_log_in_the_place_of_the_recorded_one_stops_the_run(jobs: Jobs) -> None:
    """R1: seen against the system's record, and against the master's own."""
    settings = jobs.settings
    produce(settings, [order("ada", "o1")])
    archived = archive.archive(jobs())
    identity = archive.checked_identity(jobs())
    update = "UPDATE log_identity SET topic_id = %s WHERE topic = %s IF EXISTS"
    jobs.session.execute(update, ("other", settings.log.topic))
    with pytest.raises(LogError, match="not the log this system was built on"):
        run(jobs())
    jobs.session.execute(update, (identity.topic_id, settings.log.topic))
    job = jobs()
    head = master.head(job)
    assert head is not None
    other = LogIdentity(identity.topic, "older", identity.partitions)
    rows = master.at_snapshot(job, head.snapshot).limit(0)
    after = archive.head_after(job, other, head.archive_id + 1, archived.cut, ())
    added = master.added_by(head.archive_id + 1)
    master.replace(job, rows, planned_from=head.snapshot, head_after=after, replaced=added)
    with pytest.raises(LogError, match="not the log this system was built on"):
        run(jobs())
    assert publish.read(jobs.session).published is None


@pytest.mark.parametrize(
    "damage",
    [
        "DELETE FROM batch_view_{slot} USING TIMESTAMP {id} WHERE customer_id = 'ada'",
        "INSERT INTO batch_view_{slot} (customer_id, state) VALUES ('ada', '{{}}') USING TIMESTAMP {later}",
        "INSERT INTO batch_view_{slot} (customer_id, batch_id, state) VALUES ('eve', {id}, '{{}}')",
    ],
    ids=["a row missing", "a row changed", "a row too many"],
)
def test_a_slot_that_is_not_what_was_computed_is_not_published(jobs: Jobs, damage: str) -> None:
    """R17, R18: the slot is read back before it can be pointed at; the same command finishes it when it is right."""
    settings = jobs.settings
    produce(settings, [order("ada", "o1"), order("bob", "o2")])

    def at(step: str) -> None:
        if step == "recompute and load":
            (claim,) = publish.read(jobs.session).claims
            words = {"slot": claim.slot, "id": claim.batch_id, "later": claim.batch_id + 1}
            jobs.session.execute(damage.format(**words))

    customer = re.findall(r"'(ada|eve)'", damage)[0]
    with pytest.raises(DriftFound, match=f"lost slot row: 1 customer.s., '{customer}'"):
        run(jobs(at))
    assert publish.read(jobs.session).published is None


def test_the_read_back_sees_only_rows_of_its_batch(jobs: Jobs) -> None:
    """R20: an older batch's rows in the slot count as absent; so does what a zombie writes late."""
    settings = jobs.settings
    produce(settings, [order("ada", "o1"), order("bob", "o2")])
    job = jobs()
    archived = archive.archive(job)
    states = recomputed(job, archived.snapshot, archived.cut)
    plan = Plan(archived.snapshot, archived.cut, "logic", archived.validation_version)
    older, newer = Claim(7, "a", plan), Claim(8, "a", plan)
    whole = load.load(job, states, older)
    part = load.load(job, states.where("customer_id = 'ada'"), newer)
    assert load.load(job, states, older) == whole
    assert (whole.rows, part.rows) == (2, 1)
    assert verify.read_back(job, newer) == part
    assert verify.read_back(job, older) != whole


def command(jobs: Jobs, *arguments: str) -> tuple[int, str]:
    """The exit code and the output of a `lambda360` command."""
    done = CliRunner().invoke(lambda360, arguments, obj=jobs.settings, standalone_mode=False)
    code = done.return_value if isinstance(done.return_value, int) else int(done.exception is not None)
    return code, done.output if done.exception is None else str(done.exception)


def test_r17_an_operator_goes_back_and_forth_between_the_batches_in_slots(jobs: Jobs) -> None:
    """R17, R19: the cut travels with its slot; the journal keeps who did it and why; a slot that is gone is refused."""
    for number in range(4):
        produce(jobs.settings, [order("ada", f"o{number}")])
        assert run(jobs()) is not None
    before = publish.read(jobs.session)
    assert [batch.batch_id for batch in before.complete] == [2, 3, 4]

    code, told = command(jobs, "batch", "rollback", "--reason", "wrong prices")

    after = publish.read(jobs.session)
    assert (code, after.current, after.complete) == (0, 3, before.complete)
    assert served(jobs) == expected(jobs.settings, before.complete[1].plan.cut)
    assert told.splitlines()[-1] == "To undo it: `lambda360 batch rollback --to 4`."

    assert command(jobs, "batch", "rollback", "--to", "4")[0] == 0
    assert publish.read(jobs.session) == before
    assert "current already" in command(jobs, "batch", "rollback", "--to", "4")[1]
    assert command(jobs, "batch", "rollback", "--to", "1") == (
        1,
        "batch 1 is in no slot; the batches in slots are [2, 3, 4]",
    )

    entries = [json.loads(line) for line in command(jobs, "journal", "--json")[1].splitlines()]
    entries = [entry for entry in entries if entry["action"] == "rollback"]
    assert [(entry["action"], entry["what"], entry["reason"], entry["done"]) for entry in entries] == [
        ("rollback", "from batch 3 to batch 4", "", True),
        ("rollback", "from batch 4 to batch 3", "wrong prices", True),
    ]
    shown = json.loads(command(jobs, "batch", "show", "3", "--json")[1])
    assert (shown["batch_id"], shown["status"], shown["step"], shown["customers"]) == (3, "kept", "finish", 1)
    listed = [json.loads(line)["batch_id"] for line in command(jobs, "batch", "list", "--json")[1].splitlines()]
    assert listed == [4, 3, 2, 1]


def test_r17_a_rollback_that_was_planned_before_another_batch_became_current_changes_nothing(jobs: Jobs) -> None:
    for number in range(2):
        produce(jobs.settings, [order("ada", f"o{number}")])
        assert run(jobs()) is not None
    planned = rollback.planned_rollback(jobs.session, None)
    produce(jobs.settings, [order("ada", "o9")])
    assert run(jobs()) is not None
    before = publish.read(jobs.session)

    with pytest.raises(BatchError, match="batch 3 became current meanwhile"):
        rollback.roll_back(jobs.session, planned)
    assert publish.read(jobs.session) == before
