#!/usr/bin/env bash
# Checks for Chromium, which the tests of the page drive. As root on Debian or Ubuntu it installs what is missing.
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

found() { [ -n "${CHROMIUM:-}" ] && [ -x "$CHROMIUM" ] || command -v chromium chromium-browser google-chrome >/dev/null; }

found && exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    say "installing with apt-get: chromium (missing: a Chromium for the tests of the page)"
    apt-get update -qq || say "apt-get update failed; trying with the lists at hand"
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium fonts-dejavu-core >/dev/null ||
        fail "apt-get could not install chromium. Install it by hand, or name one: CHROMIUM=/path/to/chromium make test-page"
else
    fail "missing: Chromium, which the tests of the page drive. Install it (Debian/Ubuntu: sudo apt-get install chromium), or name one: CHROMIUM=/path/to/chromium"
fi
found || fail "still no Chromium"
