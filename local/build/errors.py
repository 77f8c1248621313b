"""What can go wrong while building."""


class BuildError(Exception):
    """An artifact cannot be built; the message names the function or file, and what helps."""
