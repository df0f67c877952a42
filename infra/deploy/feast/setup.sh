#!/usr/bin/env bash
# Installs Feast, each file checked by its hash, into .feast: its packages are not those of .venv.
source "$(dirname "${BASH_SOURCE[0]}")/../../local/setup/common.sh"

if ! .feast/bin/python -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null; then
    [ -n "$(find_python)" ] || fail "no Python 3.11 to 3.13; install one and name it: PYTHON=/path/to/python3"
    say "creating .feast with $(find_python)"
    rm -rf .feast
    "$(find_python)" -m venv .feast
fi
say "installing Feast into .feast (a minute the first time)"
.feast/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r infra/deploy/feast/requirements.lock
touch .feast/.done
