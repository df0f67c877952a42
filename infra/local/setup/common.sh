# Shared by the set-up scripts: where things are, and how a person is told.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../../.."

say() { printf '[setup] %s\n' "$*"; }
fail() { printf '[setup] error: %s\n' "$*" >&2; exit 1; }

# The first Python from 3.11 to 3.13, or nothing; PYTHON names another one.
find_python() {
    local candidate
    for candidate in ${PYTHON:-} python3.11 python3 python3.12 python3.13; do
        if "$candidate" -c 'import sys, venv; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null; then
            command -v "$candidate"
            return
        fi
    done
}

java_major() { "$1" -version 2>&1 | sed -nE 's/.* version "(1\.)?([0-9]+).*/\2/p' | head -n 1; }

# A Java 17 as the servers find it (infra/local/stack/java.py): JAVA_HOME, the path, then the usual folders.
find_java() {
    local candidate
    for candidate in "${JAVA_HOME:-/none}/bin/java" "$(command -v java || true)" /usr/lib/jvm/*17*/bin/java; do
        if [ -x "$candidate" ] && [ "$(java_major "$candidate")" = 17 ]; then
            printf '%s\n' "$candidate"
            return
        fi
    done
}
