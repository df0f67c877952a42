"""One statement that changes the schema, known to every node before the next one."""

from typing import Final

from cassandra.cluster import Session

from common.errors import StoreUnavailable

AGREEMENT_SECONDS: Final = 10.0
"""How long the nodes may take to learn of a statement."""


def execute(session: Session, statement: str) -> None:
    """The statement is applied, and every node that is up knows it.

    Raises the driver's RequestValidationException if Cassandra refuses it, StoreUnavailable if the nodes do not agree.
    """
    cluster = session.cluster
    # The node that the agreement is read from: another node's statement may not have reached it by then.
    session.execute(statement, host=cluster.get_control_connection_host())
    if not cluster.control_connection.wait_for_schema_agreement(wait_time=AGREEMENT_SECONDS):
        raise StoreUnavailable(
            f"the nodes of Cassandra do not agree on the schema after {AGREEMENT_SECONDS:g} s: see `nodetool "
            "describecluster`, and run this again"
        )
