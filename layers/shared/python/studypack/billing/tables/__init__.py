"""The `payments` schema, a module an aggregate."""
