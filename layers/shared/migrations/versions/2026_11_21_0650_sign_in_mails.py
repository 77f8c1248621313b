"""Mails that tell an account's owner of another way to sign in, or of one less.

Revision: a04f5b2c7d34
Revises: 9d3f4e1a6b23
"""

from __future__ import annotations

from alembic import op
revision = 'a04f5b2c7d34'
down_revision = '9d3f4e1a6b23'
branch_labels = None
depends_on = None


TEMPLATES = (
    "WELCOME", "START_JOURNEY", "ABANDONMENT_1", "ABANDONMENT_2", "ABANDONMENT_3", "MODULE_COMPLETE",
    "INACTIVE_NUDGE", "RENEWAL_REMINDER", "PAYMENT_FAILED", "PAYMENT_FAILED_FINAL", "VERIFY_EMAIL",
    "CONFIRM_EMAIL_CHANGE", "EMAIL_CHANGED", "RESET_PASSWORD", "PASSWORD_CHANGED", "RECEIPT", "CERTIFICATE",
)
ADDED = ("PROVIDER_LINKED", "PROVIDER_UNLINKED", "TOTP_ENABLED", "TOTP_DISABLED")
CHECK = "ck_email_queue_template"


def _quoted(templates: tuple[str, ...]) -> str:
    return ", ".join(f"'{template}'" for template in templates)


def _allow(*templates: str) -> None:
    """One look at a queue of some weeks: checking it while it is locked takes no time."""
    op.drop_constraint(op.f(CHECK), 'email_queue', schema='notifications', type_='check')
    op.create_check_constraint(op.f(CHECK), 'email_queue', f"template IN ({_quoted(templates)})", schema='notifications')


def upgrade() -> None:
    _allow(*TEMPLATES, *ADDED)


def downgrade() -> None:
    op.execute(f"DELETE FROM notifications.email_queue WHERE template IN ({_quoted(ADDED)})")
    _allow(*TEMPLATES)
