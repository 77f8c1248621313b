#!/bin/sh
# Pin what the layer installs to requirements.lock, for the platform that it runs on.
set -eu
cd "$(dirname "$0")/.."
target=layers/shared/python/requirements.txt
header=$(sed -n '/^#/p' "$target")
pins=$(uv pip compile -q pyproject.toml --group api -c requirements.lock --python-version 3.13 \
    --python-platform aarch64-manylinux2014 --no-header --no-annotate --no-emit-index-url)
printf '%s\n%s\n' "$header" "$pins" > "$target"
