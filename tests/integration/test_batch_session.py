"""The Spark session: what its Python workers import is this release, wherever the command was started."""

import subprocess
import sys
from pathlib import Path

import pytest

from infra.paths import JARS, ROOT

pytestmark = [pytest.mark.spark, pytest.mark.slow]

PROGRAM = """
from pathlib import Path
import sys
import common
from batch_layer.session import spark_session
from common.settings import Settings

def places(batches):
    import common
    import pyarrow as pa
    for batch in batches:
        yield pa.RecordBatch.from_pydict({"place": [common.__file__] * len(batch)})

with spark_session(Settings(home=Path(sys.argv[1])), Path(sys.argv[2])) as spark:
    [row] = spark.range(1).mapInArrow(places, "place string").collect()
    print(row["place"], common.__file__)
"""


def test_a_worker_imports_nothing_from_the_folder_that_the_command_was_started_in(tmp_path: Path) -> None:
    """A user may stand in a folder with a package of such a name."""
    strange = tmp_path / "common"
    strange.mkdir()
    (strange / "__init__.py").write_text("")
    program = tmp_path / "program"
    program.mkdir()
    (program / "run.py").write_text(PROGRAM)
    command = [sys.executable, str(program / "run.py"), str(tmp_path / "home"), str(JARS / "spark")]

    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=280, check=False)

    own = str(ROOT / "common" / "__init__.py")
    assert (done.returncode, done.stdout.split()) == (0, [own, own]), done.stderr[-2000:]
