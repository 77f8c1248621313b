#!/bin/sh
# Pin what the layer installs, and what the functions that print need beside it, to
# requirements.lock, for the platform that they run on.
set -eu
cd "$(dirname "$0")/.."

# pins <file> <what to compile>...: the file's own comments stay.
pins() {
    target=$1
    shift
    header=$(sed -n '/^#/p' "$target")
    compiled=$(uv pip compile -q "$@" -c requirements.lock --python-version 3.13 \
        --python-platform aarch64-manylinux2014 --no-header --no-annotate --no-emit-index-url)
    printf '%s\n%s\n' "$header" "$compiled" > "$target"
}

pins layers/shared/python/requirements.txt pyproject.toml --group api
pins functions/api/billing/requirements.txt --group pyproject.toml:pdf
pins functions/api/courses/requirements.txt --group pyproject.toml:pdf
