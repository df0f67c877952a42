"""How often Python looks for garbage in cycles, in a process that runs for long. Knows no layer."""

import gc


def collect_seldom() -> None:
    """Makes Python look for cycles seldom, and never in what was loaded until now. To be called once, when all is.

    Neither our code nor the driver as we use it leaves any (`tests/support/cycles.py`), and all that is alive has to be
    looked through for them: a third of a worker's CPU, a fifth of an answer's. Nobody is served meanwhile, so each look
    must be short, too: what is new is looked through in small pieces, twice, and what a worker keeps only after
    millions of new objects. Pieces of 50,000 and 1,000,000 held up a worker for 70 and 400 ms (docs/measurements.md).
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(5_000, 5, 200)
