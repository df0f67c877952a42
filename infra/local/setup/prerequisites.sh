#!/usr/bin/env bash
# Checks for Python 3.11 to 3.13, Java 17 and Maven. As root on Debian or Ubuntu it installs what is missing.
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

missing=() packages=()
[ -n "$(find_python)" ] || { missing+=("Python 3.11, 3.12 or 3.13 with its venv module"); packages+=(python3 python3-venv); }
[ -n "$(find_java)" ] || { missing+=("Java 17 (a JDK or JRE)"); packages+=(openjdk-17-jre-headless); }
command -v mvn >/dev/null || { missing+=("Maven"); packages+=(maven); }
[ ${#missing[@]} -eq 0 ] && exit 0

named=$(IFS=';'; printf '%s' "${missing[*]}" | sed 's/;/; /g')
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    say "installing with apt-get: ${packages[*]} (missing: $named)"
    apt-get update -qq || say "apt-get update failed; trying with the lists at hand"
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${packages[@]}" >/dev/null ||
        fail "apt-get could not install ${packages[*]}. Install by hand: $named; then run make setup again."
else
    fail "missing: $named. Install it (Debian/Ubuntu: sudo apt-get install ${packages[*]}), then run make setup again."
fi
[ -n "$(find_python)" ] || fail "still no Python 3.11 to 3.13; install one and name it: make setup PYTHON=/path/to/python3"
[ -n "$(find_java)" ] || fail "still no Java 17; install one and set JAVA_HOME to it"
command -v mvn >/dev/null || fail "still no Maven"
