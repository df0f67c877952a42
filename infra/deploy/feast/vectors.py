"""Prints customers' vectors as JSON, one line each, from the online store or as they were known at a time.

    .feast/bin/python infra/deploy/feast/vectors.py C1 C2
    .feast/bin/python infra/deploy/feast/vectors.py --at 2026-11-20T12:00:00Z C1 C2

Without customers it reads their ids from stdin, one a line. Needs Feast's environment.
"""

import argparse
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
from feast import FeatureStore
from feast.errors import FeastError

HERE = Path(__file__).resolve().parent
FEATURES = json.loads((HERE / "features.json").read_text(encoding="utf-8"))


def main() -> None:
    parser = argparse.ArgumentParser(description="Print the vectors of customers as JSON, one line each.")
    parser.add_argument("customers", nargs="*", metavar="CUSTOMER")
    parser.add_argument("--at", type=moment, help="an RFC 3339 time: what was known then, by the batches")
    options = parser.parse_args()
    customers = options.customers or [line.rstrip("\n") for line in sys.stdin]
    store = FeatureStore(repo_path=str(HERE))
    found = online(store, customers) if options.at is None else known(store, customers, options.at)
    try:
        for vector in found:
            print(json.dumps(vector, ensure_ascii=False))  # noqa: T201 # what the program is for
    except FeastError as error:
        sys.exit(f"error: {error}; `feast apply` registers the features, `feast materialize` fills the online store")


def moment(text: str) -> datetime:
    """Returns the time that `text` spells; without an offset it is in UTC."""
    found = datetime.fromisoformat(text)
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def online(store: FeatureStore, customers: Sequence[str]) -> Iterator[Mapping[str, object]]:
    """Yields the present vectors, in the order asked; all features of a customer who is not there are null."""
    rows = [{"customer_id": customer} for customer in customers]
    service = store.get_feature_service("customer_features")
    columns = store.get_online_features(features=service, entity_rows=rows).to_dict()
    names = ["customer_id", *(each["name"] for each in FEATURES)]
    for place in range(len(rows)):
        yield {name: columns[name][place] for name in names}


def known(store: FeatureStore, customers: Sequence[str], at: datetime) -> Iterator[Mapping[str, object]]:
    """Yields the vectors that were known at a time, by customer; all features are null before a customer was known."""
    asked = pd.DataFrame({"customer_id": list(customers), "event_timestamp": [at] * len(customers)})
    joined = store.get_historical_features(
        entity_df=asked, features=store.get_feature_service("customer_features")
    ).to_arrow()  # a data frame would make floats of integers beside nulls
    yield from joined.drop_columns(["event_timestamp"]).sort_by("customer_id").to_pylist()


if __name__ == "__main__":
    main()
