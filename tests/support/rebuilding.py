"""A rebuild on real servers as a test holds it: its end, its rows, and a process that dies in its middle."""

from collections.abc import Callable
from typing import Final

from batch_layer.rebuild.run import Rebuilt, rebuild
from common.algebra.facts import decode_fact, encode
from common.servers import pointer_row
from infra.schema.generations import GenerationTables
from tests.support.jobs import Jobs
from tests.support.speed_fakes import Cells
from tests.support.stage import Stage

KILLED_WHILE_BUILDING: Final = """
import os, signal, threading, time
from batch_layer.job import Job
from batch_layer.rebuild.run import rebuild
from batch_layer.session import spark_session
from common.servers.cassandra import connected
from common.settings import load_settings
from infra.paths import JARS
from infra.schema.generations import GenerationTables

settings = load_settings(os.environ)

def die_at_the_first_row():
    with connected(settings) as session:
        while session.execute("SELECT customer_id FROM speed_facts_g2 LIMIT 1").one() is None:
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGKILL)

def report(step, figures, seconds):
    if step == "tables":
        threading.Thread(target=die_at_the_first_row).start()

with connected(settings) as session, spark_session(settings, JARS / "spark") as spark:
    job = Job(settings, spark, session, clock=lambda: time.time_ns() // 1000, report=report)
    rebuild(job, GenerationTables(session))
"""


def rebuilt(jobs: Jobs, at: Callable[[str], None] = lambda step: None, *, at_batch: bool = False) -> Rebuilt:
    """A rebuild that has switched."""
    return rebuild(jobs(at), GenerationTables(jobs.session), at_batch=at_batch)


def generation(scene: Stage) -> int:
    """The generation that is served."""
    return pointer_row.read(scene.session).generation


def without_alerts(cells: Cells) -> Cells:
    """The cells of facts and deltas; a rebuilt fact does not name the alerts that it raised."""
    found: Cells = {}
    for key, (text, at) in cells.items():
        if key[0] == "facts" and key[2:] != ("", ""):
            fact = decode_fact(text)
            found[key] = encode(type(fact)(fact.offset, fact.before, fact.after)), at
        elif key[0] != "alerts":
            found[key] = text, at
    return found
