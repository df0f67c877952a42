"""The sections of docs/runbook.md that messages name, so that a refusal always says where the way out is."""

from typing import Final

LOSS: Final = 'docs/runbook.md, "Records are gone from Kafka"'
RESTORE: Final = 'docs/runbook.md, "The log ends too early: restore"'
REFUSING_WORKER: Final = 'docs/runbook.md, "A worker refuses to start"'
