"""The operator's own properties of Spark, in the file that the setting `batch.spark_options` names. Knows no Spark."""

import re
from pathlib import Path
from typing import Final

from common.errors import SettingsError
from common.settings import Settings

_OPTIONS: Final = "LAMBDA360_BATCH_SPARK_OPTIONS"
_PROPERTY: Final = re.compile(r"(spark\.[^\s=]+)(?:\s*=\s*|\s+)((?!=)\S.*)")


def of(settings: Settings) -> dict[str, str]:
    """The operator's own properties. Raises SettingsError for a file that cannot be read, or a line that is none."""
    file = settings.batch.spark_options
    if not file:
        return {}
    try:
        lines = [line.strip() for line in Path(file).read_text(encoding="utf-8").splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(_OPTIONS, file, f"a file of Spark properties that can be read: {error}") from error
    found: dict[str, str] = {}
    for number, line in enumerate(lines, 1):
        if line and not line.startswith("#"):
            matching = _PROPERTY.match(line)
            if matching is None:
                rule = (
                    f"`spark.… value` in each line, and line {number} is none; it is not shown, as it may be a secret"
                )
                raise SettingsError(_OPTIONS, file, rule)
            found[matching[1]] = matching[2]
    return found
