"""How far a run gives way to the workers, the API and the servers that share its machine."""

import os
from contextlib import suppress
from pathlib import Path
from typing import Final

AUTOGROUP: Final = Path("/proc/self/autogroup")
"""Where Linux keeps the niceness of this process's session."""


def give_way(niceness: int, autogroup: Path = AUTOGROUP) -> None:
    """Raises the niceness of this process, and so of all that it starts, to `niceness`; it is never lowered.

    Where Linux shares the cores among sessions first, and then among a session's processes, the niceness of a process
    says nothing to other sessions' (sched(7), "The autogroup feature"). So that of the session is raised, too, if this
    process leads it: then nothing else is in it but what it started.
    """
    if niceness <= os.getpriority(os.PRIO_PROCESS, 0):
        return
    os.setpriority(os.PRIO_PROCESS, 0, niceness)
    if os.getsid(0) == os.getpid():
        with suppress(OSError):  # there are no autogroups on this system
            autogroup.write_text(str(niceness))
