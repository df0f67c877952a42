"""Batches, the rollback and the status of both layers, over a store in memory (R17, R22)."""

from typing import Any

import msgspec
import pytest

from common.algebra.pointer import Loss, Pointer
from serving_layer.answer.provenance import Release
from tests.support.serving_fakes import NOW, PARTITIONS, RELEASE, MemoryViewStore, Shared, progress, published


def manifest(batch_id: int, status: str = "published", **more: object) -> str:
    """A stored manifest; it names customers where a real one may."""
    plan = {"snapshot": 1, "cut": {"offsets": {"0": 5}}, "logic_version": "2", "validation_version": "3"}
    known = {"batch_id": batch_id, "status": status, "step": "finish", "plan": plan, "started_at": NOW - 60_000_000}
    return msgspec.json.encode({**known, **more}).decode()


GATE = {
    "records": 40,
    "window": {"begin": 0, "end": 1},
    "score": 98.5,
    "findings": [{"rule": "late", "kind": "order", "severity": "warn", "verdict": "warned", "text": "3 of 40 late"}],
    "changes": ["order: a new field"],
    "quarantined": 3,
}
AUDIT = {
    "generation": 1,
    "rows": 9,
    "checksum": "c",
    "is_complete": True,
    "compared": 9,
    "skipped": 1,
    "facts": 20,
    "fact_customers": 4,
    "findings": [{"drift": "wrong fact", "customers": 1, "named": ["ada"], "example": "ada's order"}],
    "accepted": ["ada"],
    "unaudited": [],
}


def kept() -> MemoryViewStore:
    """Batches 2 (current) and 1 in slots, and 3, which is at work."""
    store = MemoryViewStore(Pointer(3, 2, (published(1, 3, "a"), published(2, 5, "b"))))
    seconds = {"load": 4.5, "audit": 2.0}
    done = manifest(2, finished_at=NOW, rows=9, seconds=seconds, gate=GATE, audit=AUDIT)
    store.manifests = [manifest(3, "running"), done, manifest(1, finished_at=NOW - 1)]
    return store


def get(store: MemoryViewStore, url: str) -> Any:
    return Shared.over(store).get(url).json()


def test_a_run_has_its_figures_steps_gate_and_audit_and_names_no_customer() -> None:
    """R24: a manifest is scrubbed when a customer is erased, but the API shows no id in the first place."""
    found = get(kept(), "/v1/batches/2")

    assert found == {
        "id": 2,
        "status": "published",
        "current": True,
        "kept": True,
        "started_at": "2024-06-30T11:59:00Z",
        "published_at": "2024-06-30T12:00:00Z",
        "rows": 9,
        "records": 40,
        "cut": {"0": 5},
        "steps": [{"name": "load", "seconds": 4.5}, {"name": "audit", "seconds": 2.0}],
        "gate": {
            "records": 40,
            "score": 98.5,
            "quarantined": 3,
            "rules": [{"rule": "late", "kind": "order", "verdict": "warned", "text": "3 of 40 late"}],
            "changes": ["order: a new field"],
        },
        "audit": {
            "compared": 9,
            "skipped": 1,
            "facts": 20,
            "complete": True,
            "findings": [{"drift": "wrong fact", "customers": 1}],
            "accepted": 1,
            "unaudited": [],
        },
        "quality_score": 98.5,
    }
    assert "ada" not in str(get(kept(), "/v1/batches"))


def test_the_list_is_the_newest_first_and_the_pointer_says_which_are_current_and_kept() -> None:
    items = get(kept(), "/v1/batches")["items"]

    assert [(each["id"], each["status"], each["current"], each["kept"]) for each in items] == [
        (3, "running", False, False),
        (2, "published", True, True),
        (1, "published", False, True),
    ]
    assert get(kept(), "/v1/batches/current")["id"] == 2


@pytest.mark.parametrize("url", ["/v1/batches/9", "/v1/batches/current"])
def test_a_batch_that_is_not_there_is_a_404(url: str) -> None:
    found = get(MemoryViewStore(), url)
    assert (found["status"], found["type"]) == (404, "urn:lambda360:problem:unknown-batch")


def test_a_manifest_of_a_newer_release_is_left_out() -> None:
    store = kept()
    store.manifests.insert(0, '{"batch_id": 4}')
    assert [each["id"] for each in get(store, "/v1/batches")["items"]] == [3, 2, 1]


async def _grace() -> str:
    return "api:grace"


def roll_back(store: MemoryViewStore, body: object, *, admin: bool = True) -> Any:
    api = Shared.over(store)
    if admin:
        api.admin = _grace
    return api.request("POST", "/v1/batches/rollback", json=body).json()


def test_r17_a_rollback_makes_the_batch_before_current_and_is_recorded_with_who_and_why() -> None:
    store = kept()

    found = roll_back(store, {"reason": "wrong prices"})

    assert (found["changed"], found["left"], found["current"]["id"]) == (True, 2, 1)
    assert (store.pointer.current, len(store.pointer.complete)) == (1, 2)
    (wished,) = store.rollbacks
    assert (wished.batch_id, wished.who, wished.reason, wished.at) == (None, "api:grace", "wrong prices", NOW)

    assert roll_back(store, {"to": 2})["current"]["id"] == 2
    assert roll_back(store, {"to": 2})["changed"] is False


def test_a_batch_in_no_slot_cannot_be_rolled_back_to() -> None:
    store = kept()
    found = roll_back(store, {"to": 7})
    assert (found["status"], found["type"]) == (409, "urn:lambda360:problem:batch-conflict")
    assert "the batches in slots are [1, 2]" in found["detail"]
    assert store.pointer.current == 2


@pytest.mark.parametrize("body", [{"to": 0}, {"to": "1"}, {"to": 1, "force": True}, {"reason": "x" * 501}])
def test_a_wrong_request_changes_nothing(body: object) -> None:
    store = kept()
    assert roll_back(store, body)["status"] == 422
    assert store.rollbacks == []


def test_without_an_admin_nothing_can_be_changed() -> None:
    store = kept()
    found = roll_back(store, {"to": 1}, admin=False)
    assert (found["status"], found["type"], store.pointer.current) == (403, "urn:lambda360:problem:forbidden", 2)


def test_status_says_how_far_each_layer_is() -> None:
    store = kept()
    store.progress_rows = {0: progress(90, end_offset=95, caught_up_at=NOW - 2_000_000), 1: progress(4)}
    store.progress_rows |= {partition: progress() for partition in range(2, PARTITIONS)}

    found = get(store, "/v1/status")

    assert (found["status"], found["reasons"]) == ("exact", [])
    assert (found["batch"]["info"]["id"], found["batch"]["age_seconds"]) == (2, 3600.0)
    assert len(found["speed"]) == PARTITIONS
    assert found["speed"][0] == {
        "partition": 0,
        "next_offset": 90,
        "behind_records": 5,
        "behind_seconds": 2.0,
        "silent_seconds": 0.0,
    }


def test_status_names_each_reason_once_and_in_which_partition() -> None:
    """R22."""
    store = kept()
    other = Release("old", RELEASE.validation_version)
    store.pointer = Pointer(2, 2, (published(2, 5, "b", other),), marked=True, losses=(Loss(1, 5, 9, 1),))
    del store.progress_rows[3]
    store.progress_rows[0] = progress(beat_at=NOW - 120_000_000)

    found = get(store, "/v1/status")

    assert found["status"] == "degraded"
    assert list(zip(found["reason_names"], found["reasons"], strict=True)) == [
        ("logic_version", f"logic_version of batch 2 is old, of this release {RELEASE.logic_version}"),
        ("silent", "partition 0: the speed layer is silent for 120 s, more than 60 s"),
        ("never_ran", "the speed layer never ran in partition 3"),
        ("lost_records", found["reasons"][3]),
        ("accepted_drift", "accepted drift: some customers' answers are degraded until the speed tables are rebuilt"),
    ]
    assert found["reasons"][3].startswith("records 5 to 8 of partition 1 were lost")


def test_before_the_first_batch_there_is_no_batch_in_the_status() -> None:
    assert get(MemoryViewStore(), "/v1/status")["batch"] is None
