#!/usr/bin/env bash
# OpenFeature's own clients against a real flag-server:
#     BUILD=build tests/ofrep/ofrep.sh
# They are installed into OFREP_CLIENTS (BUILD/ofrep). Without node, npm or a registry this is left
# out, in one line. At last "N passed, N failed"; exit 1 if any failed.
set -u -o pipefail

here=$(cd "$(dirname "$0")" && pwd)
build=$(cd "${BUILD:?}" && pwd) || exit 2
clients=${OFREP_CLIENTS:-$build/ofrep}
work=$(mktemp -d "${TMPDIR:-/tmp}/ofrep.XXXXXX") || exit 2
trap 'rm -rf "$work"' EXIT

for program in node npm; do
    command -v "$program" >/dev/null 2>&1 || {
        echo "OpenFeature clients: left out, there is no $program"
        exit 0
    }
done
if ! cmp -s "$here/package-lock.json" "$clients/installed"; then
    mkdir -p "$clients" && cp "$here/package.json" "$here/package-lock.json" "$clients/" || exit 2
    (cd "$clients" && npm ci --no-audit --no-fund --ignore-scripts) >"$work/npm" 2>&1 || {
        echo "OpenFeature clients: left out, npm could not install them: $(grep -m 1 'npm error' "$work/npm")"
        exit 0
    }
    cp "$clients/package-lock.json" "$clients/installed"
fi
timeout --kill-after=5 "${TEST_TIMEOUT:-120}" node "$here/main.mjs" "$build" "$clients" "$work"
