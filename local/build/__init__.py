"""What is deployed: one artifact a function with only its own files, and the layer.

`sam build` calls `make build-<logical id>` in functions/ and layers/shared/, and those call
`python -m local.build`. Why it is made this way: docs/decisions/0009-artifacts.md.
"""

from local.build.errors import BuildError
from local.build.functions import build_function
from local.build.layer import build_layer
from local.build.platforms import LAMBDA, Platform, local_platform

__all__ = [
    "LAMBDA",
    "BuildError",
    "Platform",
    "build_function",
    "build_layer",
    "local_platform",
]
