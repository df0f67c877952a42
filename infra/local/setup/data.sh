#!/usr/bin/env bash
# Fetches .data/CDNOW_master.txt, 69,659 real purchases of 23,570 customers, out of the wheel lifetimes 0.11.3.
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

say "fetching the demo's purchases (CDNOW)"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
.venv/bin/python -m pip download --quiet --disable-pip-version-check --no-deps --only-binary :all: --require-hashes \
    --dest "$folder" -r infra/local/setup/data.lock
.venv/bin/python - "$folder" <<'PYTHON'
import pathlib
import sys
import zipfile

(wheel,) = pathlib.Path(sys.argv[1]).glob("*.whl")
target = pathlib.Path(".data/CDNOW_master.txt")
target.parent.mkdir(exist_ok=True)
partial = target.with_suffix(".partial")
partial.write_bytes(zipfile.ZipFile(wheel).read("lifetimes/datasets/CDNOW_master.txt"))
partial.replace(target)
PYTHON
