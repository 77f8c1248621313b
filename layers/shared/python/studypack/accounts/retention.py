"""What of sign-in is thrown away, and when."""

from __future__ import annotations

from studypack.core.jobs import Run, delete_in_batches

_STATEMENTS = {
    "sessions": """DELETE FROM auth.sessions WHERE id IN (
        SELECT id FROM auth.sessions
         WHERE expires_at < now() LIMIT :size FOR UPDATE SKIP LOCKED)""",
    "verification_tokens": """DELETE FROM auth.verification_tokens WHERE id IN (
        SELECT id FROM auth.verification_tokens
         WHERE expires_at < now() - interval '7 days' LIMIT :size FOR UPDATE SKIP LOCKED)""",
    "oauth_attempts": """DELETE FROM auth.oauth_attempts WHERE id IN (
        SELECT id FROM auth.oauth_attempts
         WHERE expires_at < now() LIMIT :size FOR UPDATE SKIP LOCKED)""",
    "throttles": """DELETE FROM auth.throttles WHERE key IN (
        SELECT key FROM auth.throttles
         WHERE resets_at < now() LIMIT :size FOR UPDATE SKIP LOCKED)""",
}


def purge_expired_credentials(run: Run) -> None:
    """Delete expired sessions, trips to providers and throttles at once, links a week after they
    expired.
    """
    for what, statement in _STATEMENTS.items():
        delete_in_batches(run, what, statement)
