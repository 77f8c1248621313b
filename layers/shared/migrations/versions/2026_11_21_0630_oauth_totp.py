"""Sign-in with other providers, one-time codes with recovery codes.

Revision: 7b1d2c9e4f01
Revises: 8c2e3d0f5a12
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql
revision = '7b1d2c9e4f01'
down_revision = '8c2e3d0f5a12'
branch_labels = None
depends_on = None


PURPOSES = ("EMAIL_VERIFICATION", "EMAIL_CHANGE", "PASSWORD_RESET")
CHECK = "ck_verification_tokens_purpose"


def _allow_purposes(*purposes: str) -> None:
    """The table is small and short-lived: checking it while it is locked takes no time."""
    op.drop_constraint(op.f(CHECK), 'verification_tokens', schema='auth', type_='check')
    values = ", ".join(f"'{purpose}'" for purpose in purposes)
    op.create_check_constraint(op.f(CHECK), 'verification_tokens', f"purpose IN ({values})", schema='auth')


def upgrade() -> None:
    op.create_table('oauth_accounts',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('user_id', sa.Uuid(), nullable=False),
    sa.Column('provider', sa.Text(), nullable=False),
    sa.Column('provider_account_id', sa.Text(), nullable=False),
    sa.Column('email', sa.Text(), nullable=False),
    sa.Column('email_verified', sa.Boolean(), nullable=False),
    sa.Column('created_at', postgresql.TIMESTAMP(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('last_used_at', postgresql.TIMESTAMP(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.CheckConstraint("provider IN ('GOOGLE', 'GITHUB')", name=op.f('ck_oauth_accounts_provider')),
    sa.ForeignKeyConstraint(['user_id'], ['auth.users.id'], name=op.f('fk_oauth_accounts_user_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_oauth_accounts')),
    sa.UniqueConstraint('provider', 'provider_account_id', name=op.f('uq_oauth_accounts_provider_provider_account_id')),
    sa.UniqueConstraint('user_id', 'provider', name=op.f('uq_oauth_accounts_user_id_provider')),
    schema='auth'
    )
    op.create_table('oauth_attempts',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('provider', sa.Text(), nullable=False),
    sa.Column('state_hash', sa.LargeBinary(), nullable=False),
    sa.Column('user_id', sa.Uuid(), nullable=True),
    sa.Column('return_to', sa.Text(), nullable=False),
    sa.Column('expires_at', postgresql.TIMESTAMP(timezone=True), nullable=False),
    sa.Column('created_at', postgresql.TIMESTAMP(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.CheckConstraint("provider IN ('GOOGLE', 'GITHUB')", name=op.f('ck_oauth_attempts_provider')),
    sa.ForeignKeyConstraint(['user_id'], ['auth.users.id'], name=op.f('fk_oauth_attempts_user_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_oauth_attempts')),
    sa.UniqueConstraint('state_hash', name=op.f('uq_oauth_attempts_state_hash')),
    schema='auth'
    )
    op.create_index(op.f('ix_oauth_attempts_expires_at'), 'oauth_attempts', ['expires_at'], unique=False, schema='auth')
    op.create_index(op.f('ix_oauth_attempts_user_id'), 'oauth_attempts', ['user_id'], unique=False, schema='auth')
    op.create_table('totp_credentials',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('user_id', sa.Uuid(), nullable=False),
    sa.Column('secret', sa.LargeBinary(), nullable=False),
    sa.Column('confirmed_at', postgresql.TIMESTAMP(timezone=True), nullable=True),
    sa.Column('last_step', sa.Integer(), nullable=True),
    sa.Column('created_at', postgresql.TIMESTAMP(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.ForeignKeyConstraint(['user_id'], ['auth.users.id'], name=op.f('fk_totp_credentials_user_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_totp_credentials')),
    sa.UniqueConstraint('user_id', name=op.f('uq_totp_credentials_user_id')),
    schema='auth'
    )
    op.create_table('recovery_codes',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('user_id', sa.Uuid(), nullable=False),
    sa.Column('code_hash', sa.LargeBinary(), nullable=False),
    sa.Column('used_at', postgresql.TIMESTAMP(timezone=True), nullable=True),
    sa.Column('created_at', postgresql.TIMESTAMP(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.CheckConstraint('length(code_hash) = 32', name=op.f('ck_recovery_codes_code_hash')),
    sa.ForeignKeyConstraint(['user_id'], ['auth.users.id'], name=op.f('fk_recovery_codes_user_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_recovery_codes')),
    sa.UniqueConstraint('user_id', 'code_hash', name=op.f('uq_recovery_codes_user_id_code_hash')),
    schema='auth'
    )
    _allow_purposes(*PURPOSES, "LOGIN_CHALLENGE")


def downgrade() -> None:
    op.execute("DELETE FROM auth.verification_tokens WHERE purpose = 'LOGIN_CHALLENGE'")
    _allow_purposes(*PURPOSES)
    op.drop_table('recovery_codes', schema='auth')
    op.drop_table('totp_credentials', schema='auth')
    op.drop_table('oauth_attempts', schema='auth')
    op.drop_table('oauth_accounts', schema='auth')
