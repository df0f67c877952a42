"""Where the project's own folders are."""

from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
JARS: Final = ROOT / ".jars"
LOCK_FILE: Final = ROOT / "requirements.lock"


def rejects_list(home: Path) -> Path:
    """Returns the file that names the files of rejected rows which imports wrote: a JSON text a line."""
    return home / "run" / "rejects.jsonl"
