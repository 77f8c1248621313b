"""Support finds accounts by a part of their address or name, admins acts by their kind, both by
an index.

Revision: b15a6c3d8e45
Revises: a04f5b2c7d34
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
revision = 'b15a6c3d8e45'
down_revision = 'a04f5b2c7d34'
branch_labels = None
depends_on = None


DROP_OUR_EXTENSION = """
    DO $$
    BEGIN
        -- One that somebody else installed (a superuser, for every database) is theirs.
        IF EXISTS (SELECT FROM pg_extension
                    WHERE extname = 'pg_trgm' AND pg_get_userbyid(extowner) = current_user) THEN
            DROP EXTENSION pg_trgm;
        END IF;
    END $$
"""


def upgrade() -> None:
    # A trusted extension: whoever may create in the database may install it.
    op.execute("CREATE EXTENSION IF NOT EXISTS pg_trgm")
    # Not concurrently: ten thousand accounts are indexed in well under a second.
    op.create_index(
        op.f('ix_users_search'), 'users', ['email', 'first_name', 'last_name'], unique=False, schema='auth',
        postgresql_using='gin', postgresql_where=sa.text('deleted_at IS NULL'),
        postgresql_ops={name: 'gin_trgm_ops' for name in ('email', 'first_name', 'last_name')},
    )
    op.create_index(op.f('ix_audit_log_action_id'), 'audit_log', ['action', 'id'], unique=False, schema='auth')


def downgrade() -> None:
    op.drop_index(op.f('ix_audit_log_action_id'), table_name='audit_log', schema='auth')
    op.drop_index(op.f('ix_users_search'), table_name='users', schema='auth')
    op.execute(DROP_OUR_EXTENSION)
