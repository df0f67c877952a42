# Shared by the set-up scripts: goes to the project's root, prints messages, finds Python and Java.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../../.."

say() { printf '[setup] %s\n' "$*"; }
fail() { printf '[setup] error: %s\n' "$*" >&2; exit 1; }

# Prints the path of a Python from 3.11 to 3.13, or nothing. One that PYTHON names is tried first.
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

# Prints the path of a Java 17, or nothing. It looks where infra/local/stack/java.py does: JAVA_HOME, PATH, /usr/lib/jvm.
find_java() {
    local candidate
    for candidate in "${JAVA_HOME:-/none}/bin/java" "$(command -v java || true)" /usr/lib/jvm/*17*/bin/java; do
        if [ -x "$candidate" ] && [ "$(java_major "$candidate")" = 17 ]; then
            printf '%s\n' "$candidate"
            return
        fi
    done
}
