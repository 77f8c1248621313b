"""The `notifications` schema, a module an aggregate."""
