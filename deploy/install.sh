#!/bin/sh
# Make a virtual environment from a lock file: install.sh PYTHON VENV LOCK. Uses uv when there is one, else lets pip
# bring it into the environment (it installs in a tenth of pip's time), else pip does it all.
set -eu

python=$1 venv=$2 lock=$3

"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
    echo "NetPulse needs Python 3.11 or newer; $python is $("$python" --version). Try: make PYTHON=python3.11 …" >&2
    exit 1
}

if [ ! -x "$venv/bin/python" ]; then
    "$python" -m venv "$venv" || {
        echo "No virtual environment could be made. On Debian and Ubuntu: apt-get install python3-venv" >&2
        exit 1
    }
fi

if command -v uv >/dev/null 2>&1; then
    uv=uv
else
    uv="$venv/bin/uv"
    [ -x "$uv" ] || "$venv/bin/python" -m pip install --quiet --disable-pip-version-check uv || uv=
fi

echo "Installing $lock …"
# Compiled at once: otherwise every process would compile a thousand modules at its first start.
if [ -n "$uv" ]; then
    "$uv" pip install --quiet --python "$venv/bin/python" --require-hashes --compile-bytecode -r "$lock"
    "$uv" pip install --quiet --python "$venv/bin/python" --no-deps --no-build-isolation --editable .
else
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes -r "$lock"
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
fi
PYTHONDONTWRITEBYTECODE='' "$venv/bin/python" -m compileall -q app jobs drivers migrations
