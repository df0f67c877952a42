"""What only Python's search for cycles would free: workers and APIs search seldom, so they must need it never."""

import gc
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def no_cycles(most: int) -> Iterator[None]:
    """Raises AssertionError if more than `most` objects are left in cycles by what is done inside.

    Something that is done many times, and leaves a cycle each time, is found by a `most` below that number.
    """
    gc.collect()
    was_enabled, debug = gc.isenabled(), gc.get_debug()
    gc.disable()
    gc.set_debug(gc.DEBUG_SAVEALL)
    try:
        yield
        gc.collect()
        kinds = Counter(f"{type(each).__module__}.{type(each).__qualname__}" for each in gc.garbage)
        assert len(gc.garbage) <= most, f"{len(gc.garbage)} objects were left in cycles: {kinds.most_common(12)}"
    finally:
        gc.set_debug(debug)
        gc.garbage.clear()
        if was_enabled:
            gc.enable()
