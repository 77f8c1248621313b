"""The back office: what support and admins do with other people's accounts."""
