"""The audit of a batch of 200,000 customers, beside the recomputation and load of the same rows."""

import time
from collections.abc import Callable
from typing import Final, TypeVar

from batch_layer.audit.audit import Loaded, audit
from batch_layer.audit.facts import sampled
from batch_layer.job import Job
from batch_layer.master import archive
from batch_layer.session import spark_session
from batch_layer.view import load, publish
from batch_layer.view.recompute import recomputed
from common.algebra.pointer import Plan, Published
from common.algebra.versions import logic_version
from common.servers.cassandra import connected
from common.servers.kafka import end_offsets
from common.settings import Settings
from common.waiting import wait
from infra.paths import JARS
from tests.support.batch_system import produce
from tests.support.builders import order
from tests.support.harness import running
from tests.support.systems import new_system, patient

CUSTOMERS: Final = 200_000
CHANGED: Final = 20_000
"""Customers with a delta between the two cuts: one day's part."""
_WAIT_SECONDS: Final = 900.0
T = TypeVar("T")


def measure_audit(stack: Settings) -> dict[str, float]:
    """Seconds and customers a second of the audit's parts, of a second batch in which a tenth of all changed."""
    settings = new_system(stack)
    batch = settings.batch.model_copy(update={"audit_fact_seconds": 600.0})
    settings = settings.model_copy(update={"batch": batch})
    with (
        running(settings, "speed", "run"),
        connected(patient(settings)) as session,
        spark_session(settings, JARS / "spark") as spark,
    ):
        job = Job(settings, spark, session, clock=lambda: time.time_ns() // 1000, report=lambda *_: None)
        produce(settings, (order(f"customer-{n}", "o1") for n in range(CUSTOMERS)))
        _applied(job)
        _publish(job, _loaded(job)[0])
        produce(settings, (order(f"customer-{n}", "o2") for n in range(CHANGED)))
        _applied(job)
        loaded, load_seconds = _loaded(job)
        current = publish.read(session).published
        whole = job.settings.model_copy(update={"batch": batch.model_copy(update={"audit_fact_seconds": 0.001})})
        quick = Job(whole, spark, session, clock=job.clock, report=job.report)
        (report, _), seconds = _timed(lambda: audit(quick, loaded, current))
        facts, fact_seconds = _timed(
            lambda: sampled(job, loaded.claim.plan, 1, frozenset(range(settings.log.partitions)), first=0)
        )
    assert (report.compared, report.findings, report.unaudited) == (CUSTOMERS, (), ()), report
    assert (facts.customers, facts.wrong) == (CUSTOMERS, ())
    return {
        "seconds of recompute and load": load_seconds,
        "rows/s of recompute and load": loaded.digest.rows / load_seconds,
        "seconds of the audit, with facts of 1 slice of 64": seconds,
        "customers/s of the audit": report.compared / seconds,
        "seconds of all facts": fact_seconds,
        "facts/s": facts.facts / fact_seconds,
        "audit / load": seconds / load_seconds,
    }


def _loaded(job: Job) -> tuple[Loaded, float]:
    done = archive.archive(job)
    plan = Plan(done.snapshot, done.cut, logic_version(), done.validation_version)
    claim = publish.claim(job.session, plan)
    states = recomputed(job, plan.snapshot, plan.cut)
    digest, seconds = _timed(lambda: load.load(job, states, claim))
    return Loaded(claim, states, digest), seconds


def _publish(job: Job, loaded: Loaded) -> None:
    claim, digest = loaded.claim, loaded.digest
    done = Published(claim.batch_id, claim.slot, claim.plan, job.clock(), digest.rows, digest.checksum)
    publish.publish(job.session, claim, done)


def _applied(job: Job) -> None:
    ends = end_offsets(job.settings, job.settings.log.partitions)
    wait(job.session, ends, timeout=_WAIT_SECONDS, clock=job.clock, report=lambda *_: None)


def _timed(work: Callable[[], T]) -> tuple[T, float]:
    begun = time.perf_counter()
    result = work()
    return result, time.perf_counter() - begun
