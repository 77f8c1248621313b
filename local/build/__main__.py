"""`python -m local.build function LOGICAL_ID FOLDER | layer FOLDER | sizes [FOLDER]`.

The first two are called by `sam build` through functions/Makefile and layers/shared/Makefile.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from rich.console import Console

from local import template as sam
from local.build import LAMBDA, BuildError, build_function, build_layer, sizes


def main(arguments: list[str] | None = None) -> int:
    """Run the command line and return the exit status."""
    given = _parser().parse_args(arguments)
    try:
        if given.what == "function":
            compiled = build_function(sam.read().function(given.name), given.folder, LAMBDA)
        elif given.what == "layer":
            compiled = build_layer(given.folder, LAMBDA)
        else:
            return _sizes(given.folder)
    except (BuildError, sam.TemplateError, LookupError, OSError) as error:
        sys.stderr.write(f"build: {error}\n")
        return 1
    if not compiled:
        # Not an error, and sam shows what is on stderr for errors only.
        print(
            f"build: there is no Python {LAMBDA.python} here, so the modules are not compiled and"
            " cold starts take two to three times as long; PYTHON=/path/to/python names one"
        )
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m local.build", description=__doc__)
    what = parser.add_subparsers(dest="what", required=True)
    function = what.add_parser("function", help="one function's artifact")
    function.add_argument("name", metavar="LOGICAL_ID")
    function.add_argument("folder", type=Path)
    layer = what.add_parser("layer", help="the layer's artifact")
    layer.add_argument("folder", type=Path)
    shown = what.add_parser("sizes", help="measure what sam build left")
    shown.add_argument("folder", type=Path, nargs="?", default=sam.ROOT / ".aws-sam" / "build")
    return parser


def _sizes(folder: Path) -> int:
    measured = [sizes.measure(name, place) for name, place in sizes.built(folder)]
    sizes.show(measured, Console())
    sizes.check(measured)
    return 0


if __name__ == "__main__":
    sys.exit(main())
