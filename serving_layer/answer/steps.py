"""A customer's history as a series: a merged state cut into days, weeks or months. Pure."""

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Final

from common.algebra.dates import date_of, day_of
from common.algebra.measures import INDEX, MEASURES
from common.algebra.state import State
from serving_layer.answer.readable import money
from serving_layer.schemas.history import Grain, Step

MOST_STEPS: Final = 4_000
"""The most steps of a series: about eleven years of days."""
_ENGAGEMENT: Final = tuple(INDEX[measure] for measure in ("email_opens", "email_clicks", "campaign_views"))


def series(state: State, first: date, last: date, grain: Grain) -> list[Step]:
    """Returns one step for each day, week or month that has a day from `first` to `last`, both included.

    A week begins on Monday. The first and the last step hold only their days in the range. The range must not be
    longer than `MOST_STEPS`, see `steps_in`.
    """
    sums = {start: [0] * len(MEASURES) for start in _starts(first, last, grain)}
    lowest, highest = day_of(first), day_of(last)
    for day, values in state.days.items():
        if lowest <= day <= highest:
            total = sums[max(_start(date_of(day), grain), first)]
            for index, value in enumerate(values):
                total[index] += value
    return [_step(start, total) for start, total in sums.items()]


def steps_in(first: date, last: date, grain: Grain) -> int:
    """Returns how many steps the range has, at once also for a range of millennia."""
    if grain == "month":
        return (last.year - first.year) * 12 + last.month - first.month + 1
    begin = _start(first, grain)
    return (last - begin).days // (7 if grain == "week" else 1) + 1


def _starts(first: date, last: date, grain: Grain) -> Iterator[date]:
    start = first
    while start <= last:
        yield start
        start = _next(_start(start, grain), grain)


def _start(day: date, grain: Grain) -> date:
    match grain:
        case "day":
            return day
        case "week":
            return day - timedelta(days=day.weekday())
        case "month":
            return day.replace(day=1)


def _next(start: date, grain: Grain) -> date:
    match grain:
        case "day":
            return start + timedelta(days=1)
        case "week":
            return start + timedelta(days=7)
        case "month":
            return (start.replace(day=28) + timedelta(days=4)).replace(day=1)


def _step(start: date, total: list[int]) -> Step:
    return Step(
        start=start,
        revenue=money(total[INDEX["revenue"]]),
        orders=total[INDEX["order_count"]],
        refunded=money(total[INDEX["refunded"]]),
        refunds=total[INDEX["refund_count"]],
        tickets=total[INDEX["tickets"]],
        engagement=sum(total[index] for index in _ENGAGEMENT),
    )
