"""Mail and notifications: logs, decisions, suppressions, broadcasts, preferences, what is told in the product.

Revision: d37c8e5fa067
Revises: c26b7d4e9f56
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql
revision = 'd37c8e5fa067'
down_revision = 'c26b7d4e9f56'
branch_labels = None
depends_on = None


TEMPLATES = (
    "WELCOME", "START_JOURNEY", "ABANDONMENT_1", "ABANDONMENT_2", "ABANDONMENT_3", "MODULE_COMPLETE",
    "INACTIVE_NUDGE", "RENEWAL_REMINDER", "PAYMENT_FAILED", "PAYMENT_FAILED_FINAL", "VERIFY_EMAIL",
    "CONFIRM_EMAIL_CHANGE", "EMAIL_CHANGED", "RESET_PASSWORD", "PASSWORD_CHANGED", "RECEIPT", "CERTIFICATE",
    "PROVIDER_LINKED", "PROVIDER_UNLINKED", "TOTP_ENABLED", "TOTP_DISABLED", "REFUND", "TRIAL_ENDING",
    "SEAT_INVITATION",
)
ADDED = ("FRIEND_REQUEST", "ACHIEVEMENT_DIGEST", "WEEKLY_DIGEST", "BROADCAST")
CHECK = "ck_email_queue_template"


def _quoted(templates: tuple[str, ...]) -> str:
    return ", ".join(f"'{template}'" for template in templates)


def _allow(*templates: str) -> None:
    """One look at a queue of some weeks: checking it while it is locked takes no time."""
    op.drop_constraint(op.f(CHECK), 'email_queue', schema='notifications', type_='check')
    op.create_check_constraint(op.f(CHECK), 'email_queue', f"template IN ({_quoted(templates)})", schema='notifications')


def upgrade() -> None:
    _allow(*TEMPLATES, *ADDED)
    op.create_table('broadcasts',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('name', sa.Text(), nullable=False),
    sa.Column('subject', sa.Text(), nullable=False),
    sa.Column('body', sa.Text(), nullable=False),
    sa.Column('segment', postgresql.JSONB(), server_default=sa.text("'{}'"), nullable=False),
    sa.Column('status', sa.Text(), server_default='DRAFT', nullable=False),
    sa.Column('per_minute', sa.Integer(), server_default='600', nullable=False),
    sa.Column('created_by', sa.Uuid(), nullable=True),
    sa.Column('started_at', postgresql.TIMESTAMP(timezone=True), nullable=True),
    sa.Column('finished_at', postgresql.TIMESTAMP(timezone=True), nullable=True),
    sa.Column('last_user_id', sa.Uuid(), nullable=True),
    sa.Column('queued', sa.Integer(), server_default='0', nullable=False),
    sa.Column('created_at', postgresql.TIMESTAMP(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('updated_at', postgresql.TIMESTAMP(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.CheckConstraint("status IN ('DRAFT', 'SENDING', 'STOPPED', 'SENT')", name=op.f('ck_broadcasts_status')),
    sa.CheckConstraint('per_minute BETWEEN 1 AND 100000', name=op.f('ck_broadcasts_per_minute')),
    sa.ForeignKeyConstraint(['created_by'], ['auth.users.id'], name=op.f('fk_broadcasts_created_by'), ondelete='SET NULL'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_broadcasts')),
    schema='notifications'
    )
    op.create_index(op.f('ix_broadcasts_created_by'), 'broadcasts', ['created_by'], unique=False, schema='notifications')
    op.create_table('email_decisions',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('user_id', sa.Uuid(), nullable=False),
    sa.Column('template', sa.Text(), nullable=False),
    sa.Column('occasion', sa.Text(), nullable=False),
    sa.Column('verdict', sa.Text(), nullable=False),
    sa.Column('rule', sa.Text(), nullable=False),
    sa.Column('reason', sa.Text(), nullable=False),
    sa.Column('evidence', postgresql.JSONB(), server_default=sa.text("'{}'"), nullable=False),
    sa.Column('decided_at', postgresql.TIMESTAMP(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.CheckConstraint("template IN ('WELCOME', 'START_JOURNEY', 'ABANDONMENT_1', 'ABANDONMENT_2', 'ABANDONMENT_3', 'MODULE_COMPLETE', 'INACTIVE_NUDGE', 'RENEWAL_REMINDER', 'PAYMENT_FAILED', 'PAYMENT_FAILED_FINAL', 'VERIFY_EMAIL', 'CONFIRM_EMAIL_CHANGE', 'EMAIL_CHANGED', 'RESET_PASSWORD', 'PASSWORD_CHANGED', 'PROVIDER_LINKED', 'PROVIDER_UNLINKED', 'TOTP_ENABLED', 'TOTP_DISABLED', 'RECEIPT', 'REFUND', 'TRIAL_ENDING', 'SEAT_INVITATION', 'CERTIFICATE', 'FRIEND_REQUEST', 'ACHIEVEMENT_DIGEST', 'WEEKLY_DIGEST', 'BROADCAST')", name=op.f('ck_email_decisions_template')),
    sa.CheckConstraint("verdict IN ('SEND', 'DEFER', 'WITHHOLD', 'CANCEL')", name=op.f('ck_email_decisions_verdict')),
    sa.ForeignKeyConstraint(['user_id'], ['auth.users.id'], name=op.f('fk_email_decisions_user_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_email_decisions')),
    sa.UniqueConstraint('user_id', 'template', 'occasion', 'verdict', 'reason', name=op.f('uq_email_decisions_user_id_template_occasion_verdict_reason')),
    schema='notifications'
    )
    op.create_index(op.f('ix_email_decisions_decided_at'), 'email_decisions', ['decided_at'], unique=False, schema='notifications')
    op.create_index(op.f('ix_email_decisions_user_id_id'), 'email_decisions', ['user_id', 'id'], unique=False, schema='notifications')
    op.create_table('email_suppressions',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('address_hash', sa.LargeBinary(), nullable=False),
    sa.Column('reason', sa.Text(), nullable=False),
    sa.Column('category', sa.Text(), nullable=True),
    sa.Column('user_id', sa.Uuid(), nullable=True),
    sa.Column('provider_message_id', sa.Text(), nullable=True),
    sa.Column('created_at', postgresql.TIMESTAMP(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('lifted_at', postgresql.TIMESTAMP(timezone=True), nullable=True),
    sa.CheckConstraint("(reason = 'UNSUBSCRIBE') = (category IS NOT NULL)", name=op.f('ck_email_suppressions_unsubscribe_has_category')),
    sa.CheckConstraint("category IN ('ACCOUNT', 'BILLING', 'LEARNING', 'REMINDERS', 'SOCIAL', 'MARKETING')", name=op.f('ck_email_suppressions_category')),
    sa.CheckConstraint("reason IN ('HARD_BOUNCE', 'COMPLAINT', 'UNSUBSCRIBE')", name=op.f('ck_email_suppressions_reason')),
    sa.CheckConstraint('length(address_hash) = 32', name=op.f('ck_email_suppressions_address_hash')),
    sa.ForeignKeyConstraint(['user_id'], ['auth.users.id'], name=op.f('fk_email_suppressions_user_id'), ondelete='SET NULL'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_email_suppressions')),
    schema='notifications'
    )
    op.create_index(op.f('ix_email_suppressions_user_id'), 'email_suppressions', ['user_id'], unique=False, schema='notifications')
    op.create_index('uq_email_suppressions_in_force', 'email_suppressions', ['address_hash', 'reason', 'category'], unique=True, schema='notifications', postgresql_where=sa.text('lifted_at IS NULL'), postgresql_nulls_not_distinct=True)
    op.create_table('notification_preferences',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('user_id', sa.Uuid(), nullable=False),
    sa.Column('category', sa.Text(), nullable=False),
    sa.Column('email', sa.Boolean(), server_default=sa.text('true'), nullable=False),
    sa.Column('push', sa.Boolean(), server_default=sa.text('true'), nullable=False),
    sa.Column('sms', sa.Boolean(), server_default=sa.text('false'), nullable=False),
    sa.Column('created_at', postgresql.TIMESTAMP(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('updated_at', postgresql.TIMESTAMP(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.CheckConstraint("category IN ('ACCOUNT', 'BILLING', 'LEARNING', 'REMINDERS', 'SOCIAL', 'MARKETING')", name=op.f('ck_notification_preferences_category')),
    sa.ForeignKeyConstraint(['user_id'], ['auth.users.id'], name=op.f('fk_notification_preferences_user_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_notification_preferences')),
    sa.UniqueConstraint('user_id', 'category', name=op.f('uq_notification_preferences_user_id_category')),
    schema='notifications'
    )
    op.create_table('notifications',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('user_id', sa.Uuid(), nullable=False),
    sa.Column('type', sa.Text(), nullable=False),
    sa.Column('title', sa.Text(), nullable=False),
    sa.Column('message', sa.Text(), nullable=False),
    sa.Column('priority', sa.Text(), server_default='NORMAL', nullable=False),
    sa.Column('link', sa.Text(), nullable=True),
    sa.Column('reference', sa.Text(), nullable=False),
    sa.Column('data', postgresql.JSONB(), server_default=sa.text("'{}'"), nullable=False),
    sa.Column('read_at', postgresql.TIMESTAMP(timezone=True), nullable=True),
    sa.Column('created_at', postgresql.TIMESTAMP(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.CheckConstraint("priority IN ('LOW', 'NORMAL', 'HIGH')", name=op.f('ck_notifications_priority')),
    sa.CheckConstraint("type IN ('EXAM_SCORED', 'MODULE_COMPLETED', 'CERTIFICATE_ISSUED', 'ACHIEVEMENT', 'FRIEND_REQUEST', 'FRIEND_ACCEPTED', 'TASK_DUE', 'PAYMENT_FAILED', 'ACCESS_ENDING', 'REFUND_COMPLETED', 'SEAT_INVITATION', 'ANNOUNCEMENT')", name=op.f('ck_notifications_type')),
    sa.ForeignKeyConstraint(['user_id'], ['auth.users.id'], name=op.f('fk_notifications_user_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_notifications')),
    sa.UniqueConstraint('user_id', 'type', 'reference', name=op.f('uq_notifications_user_id_type_reference')),
    schema='notifications'
    )
    op.create_index('ix_notifications_unread', 'notifications', ['user_id'], unique=False, schema='notifications', postgresql_where=sa.text('read_at IS NULL'))
    op.create_index(op.f('ix_notifications_user_id_id'), 'notifications', ['user_id', 'id'], unique=False, schema='notifications')
    op.create_table('email_logs',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('queue_id', sa.Uuid(), nullable=True),
    sa.Column('user_id', sa.Uuid(), nullable=True),
    sa.Column('template', sa.Text(), nullable=False),
    sa.Column('to_address', sa.Text(), nullable=True),
    sa.Column('subject', sa.Text(), nullable=False),
    sa.Column('status', sa.Text(), nullable=False),
    sa.Column('error', sa.Text(), nullable=True),
    sa.Column('attempt', sa.SmallInteger(), server_default='1', nullable=False),
    sa.Column('may_be_duplicate', sa.Boolean(), server_default=sa.text('false'), nullable=False),
    sa.Column('message_id', sa.Text(), nullable=True),
    sa.Column('provider_message_id', sa.Text(), nullable=True),
    sa.Column('delivery', sa.Text(), nullable=True),
    sa.Column('delivery_at', postgresql.TIMESTAMP(timezone=True), nullable=True),
    sa.Column('sent_at', postgresql.TIMESTAMP(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.CheckConstraint("delivery IN ('DELIVERED', 'DELAYED', 'BOUNCED', 'COMPLAINED')", name=op.f('ck_email_logs_delivery')),
    sa.CheckConstraint("status IN ('PENDING', 'SENT', 'FAILED', 'CANCELLED')", name=op.f('ck_email_logs_status')),
    sa.CheckConstraint("template IN ('WELCOME', 'START_JOURNEY', 'ABANDONMENT_1', 'ABANDONMENT_2', 'ABANDONMENT_3', 'MODULE_COMPLETE', 'INACTIVE_NUDGE', 'RENEWAL_REMINDER', 'PAYMENT_FAILED', 'PAYMENT_FAILED_FINAL', 'VERIFY_EMAIL', 'CONFIRM_EMAIL_CHANGE', 'EMAIL_CHANGED', 'RESET_PASSWORD', 'PASSWORD_CHANGED', 'PROVIDER_LINKED', 'PROVIDER_UNLINKED', 'TOTP_ENABLED', 'TOTP_DISABLED', 'RECEIPT', 'REFUND', 'TRIAL_ENDING', 'SEAT_INVITATION', 'CERTIFICATE', 'FRIEND_REQUEST', 'ACHIEVEMENT_DIGEST', 'WEEKLY_DIGEST', 'BROADCAST')", name=op.f('ck_email_logs_template')),
    sa.ForeignKeyConstraint(['queue_id'], ['notifications.email_queue.id'], name=op.f('fk_email_logs_queue_id'), ondelete='SET NULL'),
    sa.ForeignKeyConstraint(['user_id'], ['auth.users.id'], name=op.f('fk_email_logs_user_id'), ondelete='SET NULL'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_email_logs')),
    sa.UniqueConstraint('provider_message_id', name=op.f('uq_email_logs_provider_message_id')),
    schema='notifications'
    )
    op.create_index(op.f('ix_email_logs_queue_id'), 'email_logs', ['queue_id'], unique=False, schema='notifications')
    op.create_index('ix_purchases_ending', 'purchases', ['access_end'], unique=False, schema='payments', postgresql_where=sa.text("status = 'COMPLETED'"))
    op.create_index('ix_email_logs_addressed', 'email_logs', ['sent_at'], unique=False, schema='notifications', postgresql_where=sa.text('to_address IS NOT NULL'))
    op.create_index(op.f('ix_email_logs_sent_at'), 'email_logs', ['sent_at'], unique=False, schema='notifications')
    op.create_index(op.f('ix_email_logs_user_id_sent_at'), 'email_logs', ['user_id', 'sent_at'], unique=False, schema='notifications')
    op.add_column('email_queue', sa.Column('broadcast_id', sa.Uuid(), nullable=True), schema='notifications')
    op.add_column('email_queue', sa.Column('is_urgent', sa.Boolean(), server_default=sa.text('false'), nullable=False), schema='notifications')
    op.add_column('email_queue', sa.Column('sending_since', postgresql.TIMESTAMP(timezone=True), nullable=True), schema='notifications')
    op.add_column('email_queue', sa.Column('last_error', sa.Text(), nullable=True), schema='notifications')
    op.create_index(op.f('ix_email_queue_broadcast_id_status'), 'email_queue', ['broadcast_id', 'status'], unique=False, schema='notifications')
    op.create_index('ix_email_queue_due', 'email_queue', [sa.text('is_urgent DESC'), 'scheduled_for'], unique=False, schema='notifications', postgresql_where=sa.text("status = 'PENDING'"))
    op.create_foreign_key(op.f('fk_email_queue_broadcast_id'), 'email_queue', 'broadcasts', ['broadcast_id'], ['id'], source_schema='notifications', referent_schema='notifications', ondelete='CASCADE')


def downgrade() -> None:
    op.drop_constraint(op.f('fk_email_queue_broadcast_id'), 'email_queue', schema='notifications', type_='foreignkey')
    op.drop_index('ix_email_queue_due', table_name='email_queue', schema='notifications', postgresql_where=sa.text("status = 'PENDING'"))
    op.drop_index(op.f('ix_email_queue_broadcast_id_status'), table_name='email_queue', schema='notifications')
    op.drop_column('email_queue', 'last_error', schema='notifications')
    op.drop_column('email_queue', 'sending_since', schema='notifications')
    op.drop_column('email_queue', 'is_urgent', schema='notifications')
    op.drop_column('email_queue', 'broadcast_id', schema='notifications')
    op.drop_index(op.f('ix_email_logs_user_id_sent_at'), table_name='email_logs', schema='notifications')
    op.drop_index('ix_purchases_ending', table_name='purchases', schema='payments', postgresql_where=sa.text("status = 'COMPLETED'"))
    op.drop_index('ix_email_logs_addressed', table_name='email_logs', schema='notifications', postgresql_where=sa.text('to_address IS NOT NULL'))
    op.drop_index(op.f('ix_email_logs_sent_at'), table_name='email_logs', schema='notifications')
    op.drop_index(op.f('ix_email_logs_queue_id'), table_name='email_logs', schema='notifications')
    op.drop_table('email_logs', schema='notifications')
    op.drop_index(op.f('ix_notifications_user_id_id'), table_name='notifications', schema='notifications')
    op.drop_index('ix_notifications_unread', table_name='notifications', schema='notifications', postgresql_where=sa.text('read_at IS NULL'))
    op.drop_table('notifications', schema='notifications')
    op.drop_table('notification_preferences', schema='notifications')
    op.drop_index('uq_email_suppressions_in_force', table_name='email_suppressions', schema='notifications', postgresql_where=sa.text('lifted_at IS NULL'), postgresql_nulls_not_distinct=True)
    op.drop_index(op.f('ix_email_suppressions_user_id'), table_name='email_suppressions', schema='notifications')
    op.drop_table('email_suppressions', schema='notifications')
    op.drop_index(op.f('ix_email_decisions_user_id_id'), table_name='email_decisions', schema='notifications')
    op.drop_index(op.f('ix_email_decisions_decided_at'), table_name='email_decisions', schema='notifications')
    op.drop_table('email_decisions', schema='notifications')
    op.drop_index(op.f('ix_broadcasts_created_by'), table_name='broadcasts', schema='notifications')
    op.drop_table('broadcasts', schema='notifications')
    op.execute(f"DELETE FROM notifications.email_queue WHERE template IN ({_quoted(ADDED)})")
    _allow(*TEMPLATES)
