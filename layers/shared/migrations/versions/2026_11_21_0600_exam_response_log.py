"""The exam's append-only log with its chain of hashes, and the signed receipts.

Revision: 8c2e3d0f5a12
Revises: 68d46eb08fa3
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql
revision = '8c2e3d0f5a12'
down_revision = '68d46eb08fa3'
branch_labels = None
depends_on = None


# A row may go when its session is gone: that is the cascade of an erasure, which removes the whole.
REFUSE_CHANGE = """
    CREATE FUNCTION learning.refuse_log_change() RETURNS trigger
    LANGUAGE plpgsql AS $$
    BEGIN
        IF TG_OP = 'DELETE' THEN
            IF NOT EXISTS (SELECT FROM learning.exam_sessions WHERE id = OLD.session_id) THEN
                RETURN OLD;
            END IF;
        END IF;
        RAISE EXCEPTION '%.% is append-only: % is refused', TG_TABLE_SCHEMA, TG_TABLE_NAME, TG_OP
            USING ERRCODE = 'restrict_violation';
    END $$
"""

TRIGGERS = (
    """
    CREATE TRIGGER refuse_change BEFORE UPDATE OR DELETE ON learning.exam_response_log
    FOR EACH ROW EXECUTE FUNCTION learning.refuse_log_change()
    """,
    """
    CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON learning.exam_response_log
    FOR EACH STATEMENT EXECUTE FUNCTION learning.refuse_log_change()
    """,
    # Signing later fills in what is missing; what is signed stays.
    """
    CREATE TRIGGER refuse_change BEFORE UPDATE ON learning.exam_receipts
    FOR EACH ROW WHEN (OLD.signature IS NOT NULL OR (OLD.session_id, OLD.entries, OLD.head)
                       IS DISTINCT FROM (NEW.session_id, NEW.entries, NEW.head))
    EXECUTE FUNCTION learning.refuse_log_change()
    """,
    """
    CREATE TRIGGER refuse_delete BEFORE DELETE ON learning.exam_receipts
    FOR EACH ROW EXECUTE FUNCTION learning.refuse_log_change()
    """,
    """
    CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON learning.exam_receipts
    FOR EACH STATEMENT EXECUTE FUNCTION learning.refuse_log_change()
    """,
)


def upgrade() -> None:
    op.add_column('exam_sessions', sa.Column('log_sequence', sa.Integer(), server_default='0', nullable=False), schema='learning')
    op.add_column('exam_sessions', sa.Column('log_hash', sa.LargeBinary(), nullable=True), schema='learning')
    op.create_table('exam_receipts',
    sa.Column('session_id', sa.Uuid(), nullable=False),
    sa.Column('entries', sa.Integer(), nullable=False),
    sa.Column('head', sa.LargeBinary(), nullable=False),
    sa.Column('key_id', sa.Text(), nullable=True),
    sa.Column('signed_at', postgresql.TIMESTAMP(timezone=True), nullable=True),
    sa.Column('signature', sa.LargeBinary(), nullable=True),
    sa.Column('created_at', postgresql.TIMESTAMP(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.CheckConstraint('length(head) = 32', name=op.f('ck_exam_receipts_head')),
    sa.CheckConstraint('num_nulls(key_id, signed_at, signature) IN (0, 3)', name=op.f('ck_exam_receipts_signed')),
    sa.ForeignKeyConstraint(['session_id'], ['learning.exam_sessions.id'], name=op.f('fk_exam_receipts_session_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('session_id', name=op.f('pk_exam_receipts')),
    schema='learning'
    )
    op.create_index('ix_exam_receipts_unsigned', 'exam_receipts', ['session_id'], unique=False, schema='learning', postgresql_where=sa.text('signature IS NULL'))
    op.create_table('exam_response_log',
    sa.Column('session_id', sa.Uuid(), nullable=False),
    sa.Column('sequence', sa.Integer(), nullable=False),
    sa.Column('event', sa.Text(), nullable=False),
    sa.Column('occurred_at', postgresql.TIMESTAMP(timezone=True), nullable=False),
    sa.Column('entry', sa.Text(), nullable=False),
    sa.Column('previous_hash', sa.LargeBinary(), nullable=False),
    sa.Column('hash', sa.LargeBinary(), nullable=False),
    sa.CheckConstraint("CAST(entry AS jsonb) @> jsonb_build_object('session', session_id, 'sequence', sequence, 'event', event)", name=op.f('ck_exam_response_log_entry')),
    sa.CheckConstraint("event IN ('STARTED', 'ANSWERED', 'PAUSED', 'RESUMED', 'SUBMITTED')", name=op.f('ck_exam_response_log_event')),
    sa.CheckConstraint("hash = sha256(previous_hash || convert_to(entry, 'UTF8'))", name=op.f('ck_exam_response_log_hash')),
    sa.CheckConstraint('length(previous_hash) = 32', name=op.f('ck_exam_response_log_previous_hash')),
    sa.CheckConstraint('sequence > 0', name=op.f('ck_exam_response_log_sequence')),
    sa.ForeignKeyConstraint(['session_id'], ['learning.exam_sessions.id'], name=op.f('fk_exam_response_log_session_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('session_id', 'sequence', name=op.f('pk_exam_response_log')),
    schema='learning'
    )
    op.execute(REFUSE_CHANGE)
    for trigger in TRIGGERS:
        op.execute(trigger)


def downgrade() -> None:
    op.drop_table('exam_response_log', schema='learning')
    op.drop_table('exam_receipts', schema='learning')
    op.execute("DROP FUNCTION learning.refuse_log_change()")
    op.drop_column('exam_sessions', 'log_hash', schema='learning')
    op.drop_column('exam_sessions', 'log_sequence', schema='learning')
