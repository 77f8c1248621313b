"""A learner's whole journey, played over HTTP as a client would: `python -m local.demo`."""
