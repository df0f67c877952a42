"""Where the project's own folders are."""

from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
JARS: Final = ROOT / ".jars"
LOCK_FILE: Final = ROOT / "requirements.lock"
