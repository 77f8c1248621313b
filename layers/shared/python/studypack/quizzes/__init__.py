"""Short sets of bank questions in a module or on a topic, any number of attempts."""
