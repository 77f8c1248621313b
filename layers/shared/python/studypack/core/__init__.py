"""The ground floor: configuration, errors, database, HTTP, jobs, telemetry. Knows nothing of
learning.
"""
