"""How often Python looks for garbage in cycles, in a process that runs for long. Knows no layer."""

import gc


def collect_seldom() -> None:
    """Makes Python look for cycles seldom, and never in what was loaded until now. To be called once, when all is.

    Our own code leaves next to none, and all that is alive has to be looked through for them: a third of a worker's
    CPU, a fifth of an answer's.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)
