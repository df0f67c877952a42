"""The family of errors: the docstring of `common.errors` draws the tree of all exception classes of the product."""

import importlib
import pkgutil
import re
from collections.abc import Iterator

import pytest

import common.errors
from common.errors import (
    Lambda360Error,
    LogError,
    LogUnavailable,
    RejectedRecord,
    StoreUnavailable,
    Unavailable,
    UsageError,
)

PACKAGES = ("common", "batch_layer", "speed_layer", "serving_layer", "infra")
OUTSIDE = {"infra.proof.oracle_values.Invalid"}
"""The oracle imports none of the packages that it judges, so its one error has no root but Python's."""
BRANCH = re.compile(r"^([│ ]*)(?:├── |└── )(\w+) ", re.MULTILINE)
INDENT = len("├── ")


def exceptions() -> Iterator[type[BaseException]]:
    """Every exception class that a module of the product defines."""
    for package in map(importlib.import_module, PACKAGES):
        for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            module = importlib.import_module(found.name)
            for value in vars(module).values():
                if isinstance(value, type) and issubclass(value, BaseException) and value.__module__ == found.name:
                    yield value


def tree() -> dict[str, str]:
    """Each class that the docstring names, and the class that it stands under."""
    above = ["Lambda360Error"]
    parents = {}
    for indent, name in BRANCH.findall(common.errors.__doc__ or ""):
        depth = len(indent) // INDENT + 1
        parents[name] = above[depth - 1]
        above[depth:] = [name]
    return parents


def test_every_exception_of_the_product_derives_from_the_root_and_stands_in_the_tree_under_its_base() -> None:
    found = {f"{each.__module__}.{each.__qualname__}": each for each in exceptions()}

    classes = [each for name, each in found.items() if name not in OUTSIDE and each is not Lambda360Error]

    assert found.keys() >= OUTSIDE
    assert sorted((each.__name__, *(base.__name__ for base in each.__bases__)) for each in classes) == sorted(
        tree().items()
    )


def test_a_server_that_does_not_answer_is_named_and_is_no_error_of_the_log_itself() -> None:
    """R1, R14: being away is not being another log, and Kafka's absence is not Cassandra's."""
    assert [(kind.server, kind.__base__) for kind in (StoreUnavailable, LogUnavailable)] == [
        ("cassandra", Unavailable),
        ("kafka", Unavailable),
    ]
    assert not issubclass(LogUnavailable, LogError | StoreUnavailable)


@pytest.mark.parametrize("kind", [StoreUnavailable, LogUnavailable])
def test_its_text_is_what_the_user_reads(kind: type[Unavailable]) -> None:
    assert str(kind("it does not answer")) == "it does not answer"


def test_the_path_of_a_file_is_quoted_to_its_end() -> None:
    path = f"/a/{'long/' * 40}orders.csv"

    assert str(UsageError("FILE", path, "there is no such file")) == f"FILE: {path!r}: there is no such file"
    assert "orders.csv" not in str(RejectedRecord("source", path, "a rule"))
