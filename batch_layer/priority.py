"""How far a run gives way to the workers, the API and the servers that share its machine."""

import os
from contextlib import suppress
from pathlib import Path
from typing import Final

AUTOGROUP: Final = Path("/proc/self/autogroup")
"""Where Linux keeps the niceness of this process's session: it reads `/autogroup-7 nice 0`, and takes a number."""


def give_way(niceness: int, autogroup: Path = AUTOGROUP) -> None:
    """Raises the niceness of this process, and so of all that it starts, to `niceness`; 0 leaves everything as it is.

    Where Linux shares the cores among sessions first, and then among a session's processes, the niceness of a process
    does not count beside other sessions (sched(7), "The autogroup feature"). So that of the session is raised, too, if
    this process leads it: then nothing else is in it but what it started. A niceness that was higher before stays, and
    the session gets that one.
    """
    if niceness == 0:
        return
    own = max(niceness, os.getpriority(os.PRIO_PROCESS, 0))
    os.setpriority(os.PRIO_PROCESS, 0, own)
    if os.getsid(0) == os.getpid():
        with suppress(OSError, ValueError, IndexError):  # this system has no autogroups, or does not let us
            session = int(autogroup.read_text().split()[-1])
            autogroup.write_text(str(max(own, session)))
