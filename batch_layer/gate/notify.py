"""Notices for people: what a data team must hear of a run. They name fields and sources, and no value of a record."""

import json
from collections.abc import Sequence
from typing import Final

import structlog

from batch_layer.job import Job
from common.log.shapes import Change, What

log = structlog.get_logger(__name__)
FILE: Final = "notices.jsonl"
"""In the home: one JSON object a line, appended. What delivers notices to people reads it."""


def notify(job: Job, batch_id: int, changes: Sequence[Change]) -> None:
    """Logs each change of a shape, and appends a notice to the home's `notices.jsonl` for each that needs approval.

    A repeated run repeats its notices; `batch` and `name` tell which are the same.
    """
    for change in changes:
        level = log.info if change.what is What.NEW else log.warning
        level("shape changed", batch=batch_id, name=change.name, text=change.text)
    notices = [
        {"at": job.clock(), "batch": batch_id, "about": "shape", "name": change.name, "text": change.text}
        for change in changes
        if change.what is not What.NEW
    ]
    if notices:
        with (job.settings.home / FILE).open("a", encoding="utf-8") as file:
            file.writelines(json.dumps(notice, ensure_ascii=False) + "\n" for notice in notices)
