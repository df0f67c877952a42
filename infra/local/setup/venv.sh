#!/usr/bin/env bash
# Installs the packages of requirements.lock, each file checked by its hash, and this project (editable) into .venv.
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

infra/local/setup/prerequisites.sh
if ! .venv/bin/python -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null; then
    say "creating .venv with $(find_python)"
    rm -rf .venv
    "$(find_python)" -m venv .venv
fi
say "installing the packages of requirements.lock into .venv (a few minutes the first time)"
.venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
.venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
touch .venv/.done
