"""StudyPack: the shared layer of every function. docs/architecture.md has the map of its floors."""
