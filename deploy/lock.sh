#!/bin/sh
# Pin the newest versions that pyproject.toml allows: every platform, with hashes, without addresses.
#   requirements.lock       the service
#   requirements-lab.lock   and the simulated devices and the embedded PostgreSQL: `make demo`
#   requirements-test.lock  and the tools of `make test` and `make check`
set -eu
cd "$(dirname "$0")/.."

uv=$(command -v uv || echo .venv/bin/uv)
[ -x "$uv" ] || .venv/bin/python -m pip install --quiet --disable-pip-version-check uv

pin() {
    out=$1
    shift
    "$uv" pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
        "$@" --output-file "$out" pyproject.toml
    if grep -q '://' "$out"; then
        echo "$out holds an address" >&2
        exit 1
    fi
}

pin requirements-test.lock --upgrade --extra lab --extra test
# The smaller sets take the same versions.
pin requirements-lab.lock --extra lab --constraint requirements-test.lock
pin requirements.lock --constraint requirements-test.lock
