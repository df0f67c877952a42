"""The routers of the resources beside the metrics themselves, in one place: `create_app` includes them all."""

from collections.abc import Iterator

from fastapi import APIRouter

from serving_layer.answer.answers import Answers
from serving_layer.routes.explanation import explanations
from serving_layer.routes.history import histories


def resources(answers: Answers) -> Iterator[APIRouter]:
    """Yields the routers. Their paths do not overlap, so their order says nothing."""
    yield explanations(answers)
    yield histories(answers)
