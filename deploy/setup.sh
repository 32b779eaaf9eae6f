#!/bin/sh
# Sets up what a fresh machine lacks. `environment`: the locked packages in .venv.
# `tests`: browsers, Node.js, R and the fonts of the four languages, by the system's package manager,
# and the push service of the tests.
set -eu
PYTHON=${PYTHON:-python3}

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

system_install() {
    if ! command -v apt-get >/dev/null; then
        echo "please install by hand, this system has no apt-get: $*" >&2
        exit 1
    fi
    as_root apt-get update -qq
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@"
}

environment() {
    "$PYTHON" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
        { echo "Python 3.11 or newer is needed" >&2; exit 1; }
    "$PYTHON" -c 'import ensurepip, venv' 2>/dev/null || system_install python3-venv
    .venv/bin/python -m pip --version >/dev/null 2>&1 || "$PYTHON" -m venv --clear .venv
    .venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --use-pep517 -r requirements-dev.txt
    .venv/bin/python -m pip install --quiet --disable-pip-version-check --no-build-isolation --no-deps -e .
    .venv/bin/python -c 'from pro_app.catalogues import compile_catalogues; compile_catalogues()'
}

tests() {
    missing=""
    command -v chromium >/dev/null || missing="$missing chromium"
    fc-list ':lang=ta' 2>/dev/null | grep -q . || missing="$missing fontconfig fonts-noto-core"
    fc-list ':lang=zh-cn' 2>/dev/null | grep -q . || missing="$missing fonts-noto-cjk"
    command -v firefox-esr >/dev/null || command -v firefox >/dev/null || missing="$missing firefox-esr"
    command -v Rscript >/dev/null || missing="$missing r-base-core"
    Rscript -e 'library(haven); library(jsonlite)' >/dev/null 2>&1 || missing="$missing r-cran-haven r-cran-jsonlite"
    # shellcheck disable=SC2086
    [ -z "$missing" ] || system_install $missing
    push_service
}

# A push service that others wrote, pinned by hash in its package-lock.json.
push_service() {
    folder=tests/delivery/push_service
    if ! command -v node >/dev/null || ! command -v npm >/dev/null; then system_install nodejs npm; fi
    [ "$folder/node_modules/.package-lock.json" -nt "$folder/package-lock.json" ] && return
    system_trust=/etc/ssl/certs/ca-certificates.crt # npm alone would not trust a hospital's own proxy
    [ -n "${NODE_EXTRA_CA_CERTS:-}" ] || [ ! -f "$system_trust" ] || export NODE_EXTRA_CA_CERTS="$system_trust"
    npm ci --prefix "$folder" --ignore-scripts --no-audit --no-fund --no-update-notifier --loglevel=error
}

"$1"
