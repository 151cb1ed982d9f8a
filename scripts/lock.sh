#!/bin/sh
# Writes requirements/*.txt from pyproject.toml: exact versions with hashes, valid for CPython 3.11 and newer, no addresses.
#   scripts/lock.sh             what is locked stays as it is where pyproject.toml allows it
#   scripts/lock.sh --upgrade   take the newest allowed versions
set -eu
cd "$(dirname "$0")/.."

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/python" -m pip --disable-pip-version-check install -q uv
export UV_NO_CONFIG=1

lock() {
    "$work/venv/bin/uv" pip compile -q --universal --python-version 3.11 --generate-hashes \
        --no-emit-index-url --no-emit-find-links --no-header --no-annotate "$@" >/dev/null
}

"$work/venv/bin/python" - >"$work/build.in" <<'PY'
import tomllib
print(*tomllib.load(open("pyproject.toml", "rb"))["build-system"]["requires"], sep="\n")
PY

lock --all-extras pyproject.toml -o requirements/dev.txt "$@"                    # demo, tests, lint: everything
lock --extra all pyproject.toml -c requirements/dev.txt -o requirements/all.txt  # what runs on a server
lock "$work/build.in" -c requirements/dev.txt -o requirements/build.txt          # what makes the wheel for it
