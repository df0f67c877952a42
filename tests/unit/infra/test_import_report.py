"""The last lines of an import's summary: what to do next."""

from pathlib import Path

import pytest

from common.log.wire import RECORD_TYPES
from infra.ingest.report import LONG_HISTORY, lines
from infra.ingest.summary import Summary


@pytest.mark.parametrize(("sent", "offered"), [(LONG_HISTORY - 1, False), (LONG_HISTORY, True)])
def test_a_long_history_is_told_that_a_batch_may_come_first(sent: int, offered: bool) -> None:
    summary = Summary(Path("r"), RECORD_TYPES["order.recorded"], read=sent, sent=sent)

    *_, before, last = lines(summary)

    waits = "Next: `lambda360 speed wait` returns when the answers hold them."
    assert (before if offered else last) == waits
    assert ("`lambda360 batch run --first` is sooner done" in last) is offered
