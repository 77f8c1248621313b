"""The spine: accounts, taxonomy, question bank, exams, facts, e-mail queue.

Revision: 68d46eb08fa3
Revises: 
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql
revision = '68d46eb08fa3'
down_revision = None
branch_labels = None
depends_on = None


SCHEMAS = ("auth", "learning", "notifications", "activity")

FUNCTIONS = (
    """
    CREATE FUNCTION public.smallest_uuid7(at timestamptz) RETURNS uuid
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
        SELECT (lpad(to_hex(floor(extract(epoch FROM at) * 1000)::bigint), 12, '0') || '70008000000000000000')::uuid
    $$
    """,
    """
    CREATE FUNCTION public.uuid7(at timestamptz DEFAULT clock_timestamp()) RETURNS uuid
    LANGUAGE sql VOLATILE PARALLEL SAFE AS $$
        SELECT (lpad(to_hex(floor(extract(epoch FROM at) * 1000)::bigint), 12, '0')
                || '7' || substr(random, 2, 3)
                || to_hex(8 + (get_byte(decode(substr(random, 5, 2), 'hex'), 0) & 3)) || substr(random, 7, 15))::uuid
          FROM (SELECT replace(gen_random_uuid()::text, '-', '')) AS r (whole)
         CROSS JOIN LATERAL (SELECT substr(whole, 1, 12) || substr(whole, 18, 15)) AS v (random)
    $$
    """,
    """
    CREATE FUNCTION activity.create_event_partition(month date) RETURNS boolean
    LANGUAGE plpgsql AS $$
    DECLARE
        name text := 'analytics_events_' || to_char(month, 'YYYY_MM');
        first timestamptz := date_trunc('month', month::timestamp) AT TIME ZONE 'UTC';
        after timestamptz := (date_trunc('month', month::timestamp) + interval '1 month') AT TIME ZONE 'UTC';
        smallest uuid := public.smallest_uuid7(first);
        beyond uuid := public.smallest_uuid7(after);
    BEGIN
        -- Two jobs at once take turns.
        PERFORM pg_advisory_xact_lock(hashtextextended('activity.analytics_events', 0));
        IF to_regclass('activity.' || name) IS NOT NULL THEN
            RETURN false;
        END IF;
        -- Made apart and then attached: events of this month may be in the default partition, if it
        -- is made late, and they must move before it can be attached.
        LOCK TABLE activity.analytics_events_default IN ACCESS EXCLUSIVE MODE;
        EXECUTE format('CREATE TABLE activity.%I (LIKE activity.analytics_events INCLUDING DEFAULTS)', name);
        EXECUTE format('WITH moved AS (DELETE FROM activity.analytics_events_default
                                        WHERE id >= %L AND id < %L RETURNING *)
                        INSERT INTO activity.%I SELECT * FROM moved', smallest, beyond, name);
        EXECUTE format('ALTER TABLE activity.analytics_events ATTACH PARTITION activity.%I
                        FOR VALUES FROM (%L) TO (%L)', name, smallest, beyond);
        RETURN true;
    END $$
    """,
)

TIMEOUTS = {
    "statement_timeout": "25s",
    "lock_timeout": "5s",
    "idle_in_transaction_session_timeout": "30s",
}
"""On the role, because transaction poolers refuse them as startup parameters."""


def upgrade() -> None:
    for name, value in TIMEOUTS.items():
        op.execute(f"ALTER ROLE CURRENT_USER SET {name} = '{value}'")
    for schema in SCHEMAS:
        op.execute(f"CREATE SCHEMA {schema}")
    op.create_table('analytics_events',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('user_id', sa.Uuid(), nullable=True),
    sa.Column('exam_session_id', sa.Uuid(), nullable=True),
    sa.Column('client_session_id', sa.Text(), nullable=True),
    sa.Column('event_name', sa.Text(), nullable=False),
    sa.Column('event_time', postgresql.TIMESTAMP(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('payload', postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), server_default=sa.text("'{}'"), nullable=False),
    sa.Column('context', postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_analytics_events')),
    schema='activity',
    postgresql_partition_by='RANGE (id)'
    )
    op.create_index(op.f('ix_analytics_events_event_name_event_time'), 'analytics_events', ['event_name', 'event_time'], unique=False, schema='activity')
    op.create_index(op.f('ix_analytics_events_event_time'), 'analytics_events', ['event_time'], unique=False, schema='activity')
    op.create_index(op.f('ix_analytics_events_exam_session_id'), 'analytics_events', ['exam_session_id'], unique=False, schema='activity')
    op.create_index(op.f('ix_analytics_events_user_id_event_time'), 'analytics_events', ['user_id', 'event_time'], unique=False, schema='activity')
    op.create_table('audit_log',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('actor_id', sa.Uuid(), nullable=True),
    sa.Column('action', sa.Text(), nullable=False),
    sa.Column('subject_id', sa.Uuid(), nullable=True),
    sa.Column('details', postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), server_default=sa.text("'{}'"), nullable=False),
    sa.Column('created_at', postgresql.TIMESTAMP(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_audit_log')),
    schema='auth'
    )
    op.create_index(op.f('ix_audit_log_actor_id_id'), 'audit_log', ['actor_id', 'id'], unique=False, schema='auth')
    op.create_index(op.f('ix_audit_log_subject_id_id'), 'audit_log', ['subject_id', 'id'], unique=False, schema='auth')
    op.create_table('idempotency_keys',
    sa.Column('user_id', sa.Uuid(), nullable=False),
    sa.Column('operation', sa.Text(), nullable=False),
    sa.Column('key', sa.Text(), nullable=False),
    sa.Column('fingerprint', sa.Text(), nullable=False),
    sa.Column('answer', postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True),
    sa.Column('created_at', postgresql.TIMESTAMP(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.PrimaryKeyConstraint('user_id', 'operation', 'key', name=op.f('pk_idempotency_keys')),
    schema='auth'
    )
    op.create_index(op.f('ix_idempotency_keys_created_at'), 'idempotency_keys', ['created_at'], unique=False, schema='auth')
    op.create_table('settings',
    sa.Column('key', sa.Text(), nullable=False),
    sa.Column('value', postgresql.JSONB(astext_type=sa.Text()), nullable=False),
    sa.Column('updated_at', postgresql.TIMESTAMP(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.PrimaryKeyConstraint('key', name=op.f('pk_settings')),
    schema='auth'
    )
    op.create_table('throttles',
    sa.Column('key', sa.LargeBinary(), nullable=False),
    sa.Column('hits', sa.Integer(), nullable=False),
    sa.Column('resets_at', postgresql.TIMESTAMP(timezone=True), nullable=False),
    sa.PrimaryKeyConstraint('key', name=op.f('pk_throttles')),
    schema='auth'
    )
    op.create_index(op.f('ix_throttles_resets_at'), 'throttles', ['resets_at'], unique=False, schema='auth')
    op.create_table('users',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('email', sa.Text(), nullable=False),
    sa.Column('email_verified_at', postgresql.TIMESTAMP(timezone=True), nullable=True),
    sa.Column('password_hash', sa.Text(), nullable=True),
    sa.Column('first_name', sa.Text(), nullable=True),
    sa.Column('last_name', sa.Text(), nullable=True),
    sa.Column('role', sa.Text(), server_default='USER', nullable=False),
    sa.Column('is_active', sa.Boolean(), server_default=sa.text('true'), nullable=False),
    sa.Column('timezone', sa.Text(), server_default='UTC', nullable=False),
    sa.Column('access_override', sa.Boolean(), server_default=sa.text('false'), nullable=False),
    sa.Column('marketing_opt_out', sa.Boolean(), server_default=sa.text('false'), nullable=False),
    sa.Column('last_login_at', postgresql.TIMESTAMP(timezone=True), nullable=True),
    sa.Column('created_at', postgresql.TIMESTAMP(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('updated_at', postgresql.TIMESTAMP(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('deleted_at', postgresql.TIMESTAMP(timezone=True), nullable=True),
    sa.CheckConstraint("role IN ('USER', 'SUPPORT', 'ADMIN')", name=op.f('ck_users_role')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_users')),
    schema='auth'
    )
    op.create_index('uq_users_email_lower', 'users', [sa.literal_column('lower(email)')], unique=True, schema='auth', postgresql_where=sa.text('deleted_at IS NULL'))
    op.create_table('courses',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('slug', sa.Text(), nullable=False),
    sa.Column('title', sa.Text(), nullable=False),
    sa.Column('description', sa.Text(), nullable=True),
    sa.Column('icon', sa.Text(), nullable=True),
    sa.Column('difficulty', sa.Text(), server_default='BEGINNER', nullable=False),
    sa.Column('disclaimer', sa.Text(), nullable=True),
    sa.Column('is_active', sa.Boolean(), server_default=sa.text('true'), nullable=False),
    sa.Column('created_at', postgresql.TIMESTAMP(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('updated_at', postgresql.TIMESTAMP(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('deleted_at', postgresql.TIMESTAMP(timezone=True), nullable=True),
    sa.CheckConstraint("difficulty IN ('BEGINNER', 'INTERMEDIATE', 'ADVANCED')", name=op.f('ck_courses_difficulty')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_courses')),
    schema='learning'
    )
    op.create_index('uq_courses_slug', 'courses', ['slug'], unique=True, schema='learning', postgresql_where=sa.text('deleted_at IS NULL'))
    op.create_index('uq_courses_title', 'courses', ['title'], unique=True, schema='learning', postgresql_where=sa.text('deleted_at IS NULL'))
    op.create_table('user_activities',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('user_id', sa.Uuid(), nullable=False),
    sa.Column('type', sa.Text(), nullable=False),
    sa.Column('description', sa.Text(), nullable=False),
    sa.Column('metadata', postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), server_default=sa.text("'{}'"), nullable=False),
    sa.Column('created_at', postgresql.TIMESTAMP(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.ForeignKeyConstraint(['user_id'], ['auth.users.id'], name=op.f('fk_user_activities_user_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_user_activities')),
    schema='activity'
    )
    op.create_index(op.f('ix_user_activities_user_id_id'), 'user_activities', ['user_id', 'id'], unique=False, schema='activity')
    op.create_table('xp_logs',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('user_id', sa.Uuid(), nullable=False),
    sa.Column('source_type', sa.Text(), nullable=False),
    sa.Column('reference_id', sa.Uuid(), nullable=False),
    sa.Column('xp_amount', sa.Integer(), nullable=False),
    sa.Column('created_at', postgresql.TIMESTAMP(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.CheckConstraint("source_type IN ('QUIZ', 'LESSON', 'EXAM', 'ASSIGNMENT', 'FLASHCARD', 'TUTOR', 'STUDY')", name=op.f('ck_xp_logs_source_type')),
    sa.CheckConstraint('xp_amount > 0', name=op.f('ck_xp_logs_xp_amount')),
    sa.ForeignKeyConstraint(['user_id'], ['auth.users.id'], name=op.f('fk_xp_logs_user_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_xp_logs')),
    sa.UniqueConstraint('user_id', 'source_type', 'reference_id', name=op.f('uq_xp_logs_user_id_source_type_reference_id')),
    schema='activity'
    )
    op.create_index(op.f('ix_xp_logs_user_id_created_at'), 'xp_logs', ['user_id', 'created_at'], unique=False, schema='activity')
    op.create_table('accommodations',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('user_id', sa.Uuid(), nullable=False),
    sa.Column('time_factor', sa.Numeric(), nullable=False),
    sa.Column('reason', sa.Text(), nullable=False),
    sa.Column('granted_by', sa.Uuid(), nullable=True),
    sa.Column('granted_at', postgresql.TIMESTAMP(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('ended_at', postgresql.TIMESTAMP(timezone=True), nullable=True),
    sa.CheckConstraint('time_factor BETWEEN 1 AND 4', name=op.f('ck_accommodations_time_factor')),
    sa.ForeignKeyConstraint(['granted_by'], ['auth.users.id'], name=op.f('fk_accommodations_granted_by'), ondelete='SET NULL'),
    sa.ForeignKeyConstraint(['user_id'], ['auth.users.id'], name=op.f('fk_accommodations_user_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_accommodations')),
    schema='auth'
    )
    op.create_index(op.f('ix_accommodations_granted_by'), 'accommodations', ['granted_by'], unique=False, schema='auth')
    op.create_index(op.f('ix_accommodations_user_id'), 'accommodations', ['user_id'], unique=False, schema='auth')
    op.create_index('uq_accommodations_in_force', 'accommodations', ['user_id'], unique=True, schema='auth', postgresql_where=sa.text('ended_at IS NULL'))
    op.create_table('sessions',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('user_id', sa.Uuid(), nullable=False),
    sa.Column('token_hash', sa.LargeBinary(), nullable=False),
    sa.Column('expires_at', postgresql.TIMESTAMP(timezone=True), nullable=False),
    sa.Column('last_seen_at', postgresql.TIMESTAMP(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('ip', sa.Text(), nullable=True),
    sa.Column('user_agent', sa.Text(), nullable=True),
    sa.Column('created_at', postgresql.TIMESTAMP(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.ForeignKeyConstraint(['user_id'], ['auth.users.id'], name=op.f('fk_sessions_user_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_sessions')),
    sa.UniqueConstraint('token_hash', name=op.f('uq_sessions_token_hash')),
    schema='auth'
    )
    op.create_index(op.f('ix_sessions_expires_at'), 'sessions', ['expires_at'], unique=False, schema='auth')
    op.create_index(op.f('ix_sessions_user_id'), 'sessions', ['user_id'], unique=False, schema='auth')
    op.create_table('timezone_history',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('user_id', sa.Uuid(), nullable=False),
    sa.Column('timezone', sa.Text(), nullable=False),
    sa.Column('valid_from', postgresql.TIMESTAMP(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.ForeignKeyConstraint(['user_id'], ['auth.users.id'], name=op.f('fk_timezone_history_user_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_timezone_history')),
    schema='auth'
    )
    op.create_index(op.f('ix_timezone_history_user_id_valid_from'), 'timezone_history', ['user_id', 'valid_from'], unique=False, schema='auth')
    op.create_table('user_profiles',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('user_id', sa.Uuid(), nullable=False),
    sa.Column('bio', sa.Text(), nullable=True),
    sa.Column('avatar_url', sa.Text(), nullable=True),
    sa.Column('location', sa.Text(), nullable=True),
    sa.Column('website', sa.Text(), nullable=True),
    sa.Column('occupation', sa.Text(), nullable=True),
    sa.Column('company', sa.Text(), nullable=True),
    sa.Column('phone', sa.Text(), nullable=True),
    sa.Column('address', sa.Text(), nullable=True),
    sa.Column('socials', postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), server_default=sa.text("'{}'"), nullable=False),
    sa.Column('preferences', postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), server_default=sa.text("'{}'"), nullable=False),
    sa.Column('onboarding_completed', sa.Boolean(), server_default=sa.text('false'), nullable=False),
    sa.Column('user_type', sa.Text(), nullable=True),
    sa.Column('build_goal', sa.Text(), nullable=True),
    sa.Column('experience_level', sa.Text(), nullable=True),
    sa.Column('grade_level', sa.Text(), nullable=True),
    sa.Column('primary_goal', sa.Text(), nullable=True),
    sa.Column('study_preference', sa.Text(), nullable=True),
    sa.Column('exam_date', sa.Date(), nullable=True),
    sa.Column('weekly_study_minutes', sa.SmallInteger(), nullable=True),
    sa.Column('created_at', postgresql.TIMESTAMP(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('updated_at', postgresql.TIMESTAMP(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.CheckConstraint("experience_level IN ('BEGINNER', 'INTERMEDIATE', 'ADVANCED')", name=op.f('ck_user_profiles_experience_level')),
    sa.CheckConstraint("user_type IN ('SOLO_BUILDER', 'EXPERIENCED_DEV', 'TECH_TEAM')", name=op.f('ck_user_profiles_user_type')),
    sa.CheckConstraint('weekly_study_minutes BETWEEN 0 AND 10080', name=op.f('ck_user_profiles_weekly_study_minutes')),
    sa.ForeignKeyConstraint(['user_id'], ['auth.users.id'], name=op.f('fk_user_profiles_user_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_user_profiles')),
    sa.UniqueConstraint('user_id', name=op.f('uq_user_profiles_user_id')),
    schema='auth'
    )
    op.create_table('verification_tokens',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('user_id', sa.Uuid(), nullable=False),
    sa.Column('purpose', sa.Text(), nullable=False),
    sa.Column('token_hash', sa.LargeBinary(), nullable=False),
    sa.Column('email', sa.Text(), nullable=False),
    sa.Column('change_id', sa.Uuid(), nullable=True),
    sa.Column('data', postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), server_default=sa.text("'{}'"), nullable=False),
    sa.Column('expires_at', postgresql.TIMESTAMP(timezone=True), nullable=False),
    sa.Column('used_at', postgresql.TIMESTAMP(timezone=True), nullable=True),
    sa.Column('created_at', postgresql.TIMESTAMP(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.CheckConstraint("purpose IN ('EMAIL_VERIFICATION', 'EMAIL_CHANGE', 'PASSWORD_RESET')", name=op.f('ck_verification_tokens_purpose')),
    sa.ForeignKeyConstraint(['user_id'], ['auth.users.id'], name=op.f('fk_verification_tokens_user_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_verification_tokens')),
    sa.UniqueConstraint('token_hash', name=op.f('uq_verification_tokens_token_hash')),
    schema='auth'
    )
    op.create_index(op.f('ix_verification_tokens_change_id'), 'verification_tokens', ['change_id'], unique=False, schema='auth')
    op.create_index(op.f('ix_verification_tokens_expires_at'), 'verification_tokens', ['expires_at'], unique=False, schema='auth')
    op.create_index(op.f('ix_verification_tokens_user_id'), 'verification_tokens', ['user_id'], unique=False, schema='auth')
    op.create_table('exam_templates',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('course_id', sa.Uuid(), nullable=False),
    sa.Column('slug', sa.Text(), nullable=False),
    sa.Column('title', sa.Text(), nullable=False),
    sa.Column('description', sa.Text(), nullable=True),
    sa.Column('duration_minutes', sa.SmallInteger(), nullable=False),
    sa.Column('scoring_mode', sa.Text(), nullable=False),
    sa.Column('blueprint', postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=False),
    sa.Column('pass_percent', sa.Numeric(precision=5, scale=2), nullable=True),
    sa.Column('scale_minimum', sa.SmallInteger(), nullable=True),
    sa.Column('scale_maximum', sa.SmallInteger(), nullable=True),
    sa.Column('pass_score', sa.SmallInteger(), nullable=True),
    sa.Column('pass_theta', sa.Numeric(precision=6, scale=4), nullable=True),
    sa.Column('is_practice', sa.Boolean(), server_default=sa.text('false'), nullable=False),
    sa.Column('pause_minutes', sa.SmallInteger(), server_default='0', nullable=False),
    sa.Column('retake_after_hours', sa.Integer(), server_default='0', nullable=False),
    sa.Column('max_attempts', sa.SmallInteger(), nullable=True),
    sa.Column('is_active', sa.Boolean(), server_default=sa.text('true'), nullable=False),
    sa.Column('created_at', postgresql.TIMESTAMP(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('updated_at', postgresql.TIMESTAMP(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('deleted_at', postgresql.TIMESTAMP(timezone=True), nullable=True),
    sa.CheckConstraint("scoring_mode = 'raw' OR (scale_minimum < pass_score AND pass_score < scale_maximum)", name=op.f('ck_exam_templates_scale')),
    sa.CheckConstraint("scoring_mode IN ('raw', 'scaled')", name=op.f('ck_exam_templates_scoring_mode')),
    sa.CheckConstraint('duration_minutes BETWEEN 1 AND 1440', name=op.f('ck_exam_templates_duration_minutes')),
    sa.CheckConstraint('max_attempts > 0', name=op.f('ck_exam_templates_max_attempts')),
    sa.CheckConstraint('pause_minutes >= 0', name=op.f('ck_exam_templates_pause_minutes')),
    sa.ForeignKeyConstraint(['course_id'], ['learning.courses.id'], name=op.f('fk_exam_templates_course_id'), ondelete='RESTRICT'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_exam_templates')),
    schema='learning'
    )
    op.create_index(op.f('ix_exam_templates_course_id'), 'exam_templates', ['course_id'], unique=False, schema='learning')
    op.create_index('uq_exam_templates_slug', 'exam_templates', ['slug'], unique=True, schema='learning', postgresql_where=sa.text('deleted_at IS NULL'))
    op.create_table('topics',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('course_id', sa.Uuid(), nullable=False),
    sa.Column('parent_id', sa.Uuid(), nullable=True),
    sa.Column('slug', sa.Text(), nullable=False),
    sa.Column('name', sa.Text(), nullable=False),
    sa.Column('description', sa.Text(), nullable=True),
    sa.Column('difficulty_level', sa.SmallInteger(), nullable=True),
    sa.Column('position', sa.SmallInteger(), server_default='0', nullable=False),
    sa.Column('created_at', postgresql.TIMESTAMP(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('updated_at', postgresql.TIMESTAMP(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.CheckConstraint('difficulty_level BETWEEN 1 AND 5', name=op.f('ck_topics_difficulty_level')),
    sa.CheckConstraint('parent_id <> id', name=op.f('ck_topics_not_its_own_parent')),
    sa.ForeignKeyConstraint(['course_id'], ['learning.courses.id'], name=op.f('fk_topics_course_id'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['parent_id'], ['learning.topics.id'], name=op.f('fk_topics_parent_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_topics')),
    sa.UniqueConstraint('course_id', 'slug', name=op.f('uq_topics_course_id_slug')),
    schema='learning'
    )
    op.create_index(op.f('ix_topics_parent_id'), 'topics', ['parent_id'], unique=False, schema='learning')
    op.create_table('email_queue',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('user_id', sa.Uuid(), nullable=False),
    sa.Column('template', sa.Text(), nullable=False),
    sa.Column('to_address', sa.Text(), nullable=True),
    sa.Column('data', postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), server_default=sa.text("'{}'"), nullable=False),
    sa.Column('dedupe_key', sa.Text(), nullable=False),
    sa.Column('scheduled_for', postgresql.TIMESTAMP(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('status', sa.Text(), server_default='PENDING', nullable=False),
    sa.Column('status_reason', sa.Text(), nullable=True),
    sa.Column('attempts', sa.SmallInteger(), server_default='0', nullable=False),
    sa.Column('leased_until', postgresql.TIMESTAMP(timezone=True), nullable=True),
    sa.Column('lease_id', sa.Uuid(), nullable=True),
    sa.Column('created_at', postgresql.TIMESTAMP(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('processed_at', postgresql.TIMESTAMP(timezone=True), nullable=True),
    sa.CheckConstraint("status IN ('PENDING', 'SENT', 'FAILED', 'CANCELLED')", name=op.f('ck_email_queue_status')),
    sa.CheckConstraint("template IN ('WELCOME', 'START_JOURNEY', 'ABANDONMENT_1', 'ABANDONMENT_2', 'ABANDONMENT_3', 'MODULE_COMPLETE', 'INACTIVE_NUDGE', 'RENEWAL_REMINDER', 'PAYMENT_FAILED', 'PAYMENT_FAILED_FINAL', 'VERIFY_EMAIL', 'CONFIRM_EMAIL_CHANGE', 'EMAIL_CHANGED', 'RESET_PASSWORD', 'PASSWORD_CHANGED', 'RECEIPT', 'CERTIFICATE')", name=op.f('ck_email_queue_template')),
    sa.ForeignKeyConstraint(['user_id'], ['auth.users.id'], name=op.f('fk_email_queue_user_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_email_queue')),
    sa.UniqueConstraint('dedupe_key', name=op.f('uq_email_queue_dedupe_key')),
    schema='notifications'
    )
    op.create_index(op.f('ix_email_queue_status_scheduled_for'), 'email_queue', ['status', 'scheduled_for'], unique=False, schema='notifications')
    op.create_index(op.f('ix_email_queue_user_id'), 'email_queue', ['user_id'], unique=False, schema='notifications')
    op.create_table('exam_sessions',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('user_id', sa.Uuid(), nullable=False),
    sa.Column('template_id', sa.Uuid(), nullable=False),
    sa.Column('status', sa.Text(), server_default='DRAFT', nullable=False),
    sa.Column('scoring_mode', sa.Text(), nullable=False),
    sa.Column('is_practice', sa.Boolean(), server_default=sa.text('false'), nullable=False),
    sa.Column('blueprint', postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=False),
    sa.Column('scoring', postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=False),
    sa.Column('duration_minutes', sa.SmallInteger(), nullable=False),
    sa.Column('time_factor', sa.Numeric(precision=4, scale=2), server_default='1', nullable=False),
    sa.Column('started_at', postgresql.TIMESTAMP(timezone=True), nullable=True),
    sa.Column('deadline_at', postgresql.TIMESTAMP(timezone=True), nullable=True),
    sa.Column('paused_at', postgresql.TIMESTAMP(timezone=True), nullable=True),
    sa.Column('pause_used_seconds', sa.Integer(), server_default='0', nullable=False),
    sa.Column('pause_budget_seconds', sa.Integer(), server_default='0', nullable=False),
    sa.Column('submitted_at', postgresql.TIMESTAMP(timezone=True), nullable=True),
    sa.Column('submitted_by', sa.Text(), nullable=True),
    sa.Column('completed_at', postgresql.TIMESTAMP(timezone=True), nullable=True),
    sa.Column('score_raw', sa.Numeric(precision=8, scale=4), nullable=True),
    sa.Column('score_percent', sa.Numeric(precision=5, scale=2), nullable=True),
    sa.Column('score_scaled', sa.SmallInteger(), nullable=True),
    sa.Column('theta', sa.Numeric(precision=7, scale=4), nullable=True),
    sa.Column('theta_error', sa.Numeric(precision=7, scale=4), nullable=True),
    sa.Column('passed', sa.Boolean(), nullable=True),
    sa.Column('metadata', postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), server_default=sa.text("'{}'"), nullable=False),
    sa.Column('created_at', postgresql.TIMESTAMP(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('updated_at', postgresql.TIMESTAMP(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.CheckConstraint("(status = 'DRAFT') = (started_at IS NULL)", name=op.f('ck_exam_sessions_started')),
    sa.CheckConstraint("(status IN ('DRAFT', 'IN_PROGRESS')) = (submitted_at IS NULL)", name=op.f('ck_exam_sessions_submitted')),
    sa.CheckConstraint("scoring_mode IN ('raw', 'scaled')", name=op.f('ck_exam_sessions_scoring_mode')),
    sa.CheckConstraint("status IN ('DRAFT', 'IN_PROGRESS', 'SUBMITTED', 'REVIEW', 'ARCHIVED')", name=op.f('ck_exam_sessions_status')),
    sa.CheckConstraint("submitted_by IN ('LEARNER', 'CLOCK')", name=op.f('ck_exam_sessions_submitted_by')),
    sa.ForeignKeyConstraint(['template_id'], ['learning.exam_templates.id'], name=op.f('fk_exam_sessions_template_id'), ondelete='RESTRICT'),
    sa.ForeignKeyConstraint(['user_id'], ['auth.users.id'], name=op.f('fk_exam_sessions_user_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_exam_sessions')),
    schema='learning'
    )
    op.create_index('ix_exam_sessions_deadline_at', 'exam_sessions', ['deadline_at'], unique=False, schema='learning', postgresql_where=sa.text("status = 'IN_PROGRESS'"))
    op.create_index(op.f('ix_exam_sessions_template_id'), 'exam_sessions', ['template_id'], unique=False, schema='learning')
    op.create_index('ix_exam_sessions_unscored', 'exam_sessions', ['submitted_at'], unique=False, schema='learning', postgresql_where=sa.text("status = 'SUBMITTED'"))
    op.create_index(op.f('ix_exam_sessions_user_id_id'), 'exam_sessions', ['user_id', 'id'], unique=False, schema='learning')
    op.create_index('uq_exam_sessions_running', 'exam_sessions', ['user_id', 'template_id'], unique=True, schema='learning', postgresql_where=sa.text("status IN ('DRAFT', 'IN_PROGRESS')"))
    op.create_table('questions',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('source_id', sa.Text(), nullable=True),
    sa.Column('type', sa.Text(), nullable=False),
    sa.Column('topic_id', sa.Uuid(), nullable=False),
    sa.Column('stem', sa.Text(), nullable=False),
    sa.Column('media', postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True),
    sa.Column('rationale', sa.Text(), nullable=False),
    sa.Column('difficulty', sa.SmallInteger(), nullable=True),
    sa.Column('status', sa.Text(), server_default='DRAFT', nullable=False),
    sa.Column('version', sa.Integer(), server_default='1', nullable=False),
    sa.Column('discrimination', sa.Numeric(precision=7, scale=4), nullable=True),
    sa.Column('location', sa.Numeric(precision=7, scale=4), nullable=True),
    sa.Column('calibrated_at', postgresql.TIMESTAMP(timezone=True), nullable=True),
    sa.Column('metadata', postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), server_default=sa.text("'{}'"), nullable=False),
    sa.Column('created_at', postgresql.TIMESTAMP(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('updated_at', postgresql.TIMESTAMP(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('deleted_at', postgresql.TIMESTAMP(timezone=True), nullable=True),
    sa.CheckConstraint("status IN ('DRAFT', 'ACTIVE', 'RETIRED')", name=op.f('ck_questions_status')),
    sa.CheckConstraint("type IN ('SINGLE_BEST', 'MULTI_SELECT', 'ORDERING', 'HOT_SPOT', 'CLINICAL_SIM')", name=op.f('ck_questions_type')),
    sa.CheckConstraint('difficulty BETWEEN 1 AND 5', name=op.f('ck_questions_difficulty')),
    sa.CheckConstraint('discrimination > 0', name=op.f('ck_questions_discrimination')),
    sa.ForeignKeyConstraint(['topic_id'], ['learning.topics.id'], name=op.f('fk_questions_topic_id'), ondelete='RESTRICT'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_questions')),
    sa.UniqueConstraint('source_id', name=op.f('uq_questions_source_id')),
    schema='learning'
    )
    op.create_index(op.f('ix_questions_topic_id_status'), 'questions', ['topic_id', 'status'], unique=False, schema='learning')
    op.create_table('topic_mastery',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('user_id', sa.Uuid(), nullable=False),
    sa.Column('topic_id', sa.Uuid(), nullable=False),
    sa.Column('mastery_score', sa.Numeric(precision=6, scale=5), nullable=False),
    sa.Column('evidence', sa.Numeric(precision=9, scale=2), nullable=False),
    sa.Column('last_updated', postgresql.TIMESTAMP(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.CheckConstraint('mastery_score BETWEEN 0 AND 1', name=op.f('ck_topic_mastery_mastery_score')),
    sa.ForeignKeyConstraint(['topic_id'], ['learning.topics.id'], name=op.f('fk_topic_mastery_topic_id'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['user_id'], ['auth.users.id'], name=op.f('fk_topic_mastery_user_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_topic_mastery')),
    sa.UniqueConstraint('user_id', 'topic_id', name=op.f('uq_topic_mastery_user_id_topic_id')),
    schema='learning'
    )
    op.create_index(op.f('ix_topic_mastery_topic_id'), 'topic_mastery', ['topic_id'], unique=False, schema='learning')
    op.create_table('question_options',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('question_id', sa.Uuid(), nullable=False),
    sa.Column('label', sa.Text(), nullable=False),
    sa.Column('content', sa.Text(), nullable=False),
    sa.Column('is_correct', sa.Boolean(), nullable=True),
    sa.Column('sort_order', sa.SmallInteger(), nullable=False),
    sa.Column('points', sa.SmallInteger(), nullable=True),
    sa.Column('feedback', sa.Text(), nullable=True),
    sa.Column('section', sa.SmallInteger(), nullable=True),
    sa.Column('metadata', postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), server_default=sa.text("'{}'"), nullable=False),
    sa.ForeignKeyConstraint(['question_id'], ['learning.questions.id'], name=op.f('fk_question_options_question_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_question_options')),
    sa.UniqueConstraint('question_id', 'sort_order', name=op.f('uq_question_options_question_id_sort_order')),
    schema='learning'
    )
    op.create_table('question_versions',
    sa.Column('question_id', sa.Uuid(), nullable=False),
    sa.Column('version', sa.Integer(), nullable=False),
    sa.Column('content', postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=False),
    sa.Column('created_at', postgresql.TIMESTAMP(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.ForeignKeyConstraint(['question_id'], ['learning.questions.id'], name=op.f('fk_question_versions_question_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('question_id', 'version', name=op.f('pk_question_versions')),
    schema='learning'
    )
    op.create_table('exam_items',
    sa.Column('session_id', sa.Uuid(), nullable=False),
    sa.Column('position', sa.SmallInteger(), nullable=False),
    sa.Column('question_id', sa.Uuid(), nullable=False),
    sa.Column('question_version', sa.Integer(), nullable=False),
    sa.Column('topic_id', sa.Uuid(), nullable=False),
    sa.Column('discrimination', sa.Numeric(precision=7, scale=4), nullable=False),
    sa.Column('location', sa.Numeric(precision=7, scale=4), nullable=False),
    sa.ForeignKeyConstraint(['question_id', 'question_version'], ['learning.question_versions.question_id', 'learning.question_versions.version'], name='fk_exam_items_question_version'),
    sa.ForeignKeyConstraint(['session_id'], ['learning.exam_sessions.id'], name=op.f('fk_exam_items_session_id'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['topic_id'], ['learning.topics.id'], name=op.f('fk_exam_items_topic_id'), ondelete='RESTRICT'),
    sa.PrimaryKeyConstraint('session_id', 'position', name=op.f('pk_exam_items')),
    sa.UniqueConstraint('session_id', 'question_id', name=op.f('uq_exam_items_session_id_question_id')),
    schema='learning'
    )
    op.create_index(op.f('ix_exam_items_question_id_question_version'), 'exam_items', ['question_id', 'question_version'], unique=False, schema='learning')
    op.create_index(op.f('ix_exam_items_topic_id'), 'exam_items', ['topic_id'], unique=False, schema='learning')
    op.create_table('exam_responses',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('session_id', sa.Uuid(), nullable=False),
    sa.Column('question_id', sa.Uuid(), nullable=False),
    sa.Column('answer', postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True),
    sa.Column('revision', sa.Integer(), nullable=False),
    sa.Column('flagged', sa.Boolean(), server_default=sa.text('false'), nullable=False),
    sa.Column('time_spent_seconds', sa.Integer(), server_default='0', nullable=False),
    sa.Column('answered_at', postgresql.TIMESTAMP(timezone=True), nullable=True),
    sa.Column('is_correct', sa.Boolean(), nullable=True),
    sa.Column('credit', sa.Numeric(precision=5, scale=4), nullable=True),
    sa.Column('reviewed_at', postgresql.TIMESTAMP(timezone=True), nullable=True),
    sa.Column('created_at', postgresql.TIMESTAMP(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('updated_at', postgresql.TIMESTAMP(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.CheckConstraint('credit BETWEEN 0 AND 1', name=op.f('ck_exam_responses_credit')),
    sa.CheckConstraint('time_spent_seconds >= 0', name=op.f('ck_exam_responses_time_spent_seconds')),
    sa.ForeignKeyConstraint(['session_id', 'question_id'], ['learning.exam_items.session_id', 'learning.exam_items.question_id'], name='fk_exam_responses_item', ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_exam_responses')),
    sa.UniqueConstraint('session_id', 'question_id', name=op.f('uq_exam_responses_session_id_question_id')),
    schema='learning'
    )
    for function in FUNCTIONS:
        op.execute(function)
    op.execute("CREATE TABLE activity.analytics_events_default PARTITION OF activity.analytics_events DEFAULT")
    op.execute(
        "SELECT activity.create_event_partition((date_trunc('month', now() AT TIME ZONE 'UTC')"
        " + make_interval(months => ahead))::date) FROM generate_series(0, 3) AS ahead"
    )


def downgrade() -> None:
    for schema in reversed(SCHEMAS):
        op.execute(f"DROP SCHEMA {schema} CASCADE")
    op.execute("DROP FUNCTION public.uuid7(timestamptz)")
    op.execute("DROP FUNCTION public.smallest_uuid7(timestamptz)")
    for name in TIMEOUTS:
        op.execute(f"ALTER ROLE CURRENT_USER RESET {name}")
