#!/usr/bin/env bash
# The migrator on D1's own engine (npm miniflare), beside wrangler, and with a Worker that asks its
# flags by OpenFeature's client; all modules of main.mjs, or those named:
#     BUILD=build tests/d1/d1.sh [MODULE...]
# It is installed into D1_CLIENTS (BUILD/d1). Without node, npm or a registry this is left
# out, in one line. At last "N passed, N failed"; exit 1 if any failed.
set -u -o pipefail

here=$(cd "$(dirname "$0")" && pwd)
build=$(cd "${BUILD:?}" && pwd) || exit 2
clients=${D1_CLIENTS:-$build/d1}
work=$(mktemp -d "${TMPDIR:-/tmp}/d1.XXXXXX") || exit 2
trap 'rm -rf "$work"' EXIT

for program in node npm; do
    command -v "$program" >/dev/null 2>&1 || {
        echo "D1 on workerd: left out, there is no $program"
        exit 0
    }
done
# npm was seen to say that all is well, with half a package there.
install() {
    (cd "$clients" && npm ci --no-audit --no-fund --ignore-scripts) >"$work/npm" 2>&1 &&
        (cd "$clients" && node -e 'require("miniflare"), require("esbuild")') >>"$work/npm" 2>&1
}
if ! cmp -s "$here/package-lock.json" "$clients/installed"; then
    mkdir -p "$clients" && cp "$here/package.json" "$here/package-lock.json" "$clients/" || exit 2
    install || install || {
        echo "D1 on workerd: left out, npm could not install its packages: $(grep -i -m 1 'error' "$work/npm")"
        exit 0
    }
    cp "$clients/package-lock.json" "$clients/installed"
fi
timeout --kill-after=5 "${TEST_TIMEOUT:-2400}" node "$here/main.mjs" "$build" "$clients" "$work" "$@"
