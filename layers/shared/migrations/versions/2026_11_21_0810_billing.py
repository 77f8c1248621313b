"""Billing: catalogue, customers, checkouts, subscriptions, transactions, invoices, the inbox of events.

Revision: c26b7d4e9f56
Revises: b15a6c3d8e45
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql
revision = 'c26b7d4e9f56'
down_revision = 'b15a6c3d8e45'
branch_labels = None
depends_on = None


TEMPLATES = (
    "WELCOME", "START_JOURNEY", "ABANDONMENT_1", "ABANDONMENT_2", "ABANDONMENT_3", "MODULE_COMPLETE",
    "INACTIVE_NUDGE", "RENEWAL_REMINDER", "PAYMENT_FAILED", "PAYMENT_FAILED_FINAL", "VERIFY_EMAIL",
    "CONFIRM_EMAIL_CHANGE", "EMAIL_CHANGED", "RESET_PASSWORD", "PASSWORD_CHANGED", "RECEIPT", "CERTIFICATE",
    "PROVIDER_LINKED", "PROVIDER_UNLINKED", "TOTP_ENABLED", "TOTP_DISABLED",
)
ADDED = ("REFUND", "TRIAL_ENDING", "SEAT_INVITATION")
CHECK = "ck_email_queue_template"


def _quoted(templates: tuple[str, ...]) -> str:
    return ", ".join(f"'{template}'" for template in templates)


def _allow(*templates: str) -> None:
    """One look at a queue of some weeks: checking it while it is locked takes no time."""
    op.drop_constraint(op.f(CHECK), 'email_queue', schema='notifications', type_='check')
    op.create_check_constraint(op.f(CHECK), 'email_queue', f"template IN ({_quoted(templates)})", schema='notifications')


def upgrade() -> None:
    _allow(*TEMPLATES, *ADDED)
    op.execute("CREATE SCHEMA payments")
    op.create_table('number_series',
    sa.Column('series', sa.Text(), nullable=False),
    sa.Column('last_number', sa.Integer(), nullable=False),
    sa.PrimaryKeyConstraint('series', name=op.f('pk_number_series')),
    schema='payments'
    )
    op.create_table('products',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('sku', sa.Text(), nullable=False),
    sa.Column('name', sa.Text(), nullable=False),
    sa.Column('description', sa.Text(), nullable=True),
    sa.Column('kind', sa.Text(), nullable=False),
    sa.Column('plan', sa.Text(), nullable=True),
    sa.Column('interval', sa.Text(), nullable=True),
    sa.Column('price_amount', sa.BigInteger(), nullable=False),
    sa.Column('currency', sa.Text(), server_default='usd', nullable=False),
    sa.Column('access_window_days', sa.Integer(), nullable=True),
    sa.Column('trial_days', sa.SmallInteger(), server_default='0', nullable=False),
    sa.Column('has_seats', sa.Boolean(), server_default=sa.text('false'), nullable=False),
    sa.Column('is_active', sa.Boolean(), server_default=sa.text('true'), nullable=False),
    sa.Column('sort_order', sa.SmallInteger(), server_default='0', nullable=False),
    sa.Column('metadata', postgresql.JSONB(), server_default=sa.text("'{}'"), nullable=False),
    sa.Column('stripe_product_id', sa.Text(), nullable=True),
    sa.Column('stripe_price_id', sa.Text(), nullable=True),
    sa.Column('created_at', postgresql.TIMESTAMP(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('updated_at', postgresql.TIMESTAMP(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.CheckConstraint("CASE kind WHEN 'SUBSCRIPTION' THEN num_nulls(plan, interval) = 0 AND plan <> 'FREE' AND access_window_days IS NULL ELSE num_nonnulls(plan, interval) = 0 AND trial_days = 0 AND NOT has_seats END", name=op.f('ck_products_kind_fits')),
    sa.CheckConstraint("currency ~ '^[a-z]{3}$'", name=op.f('ck_products_currency')),
    sa.CheckConstraint("interval IN ('MONTHLY', 'ANNUAL')", name=op.f('ck_products_interval')),
    sa.CheckConstraint("kind IN ('ONE_TIME', 'SUBSCRIPTION')", name=op.f('ck_products_kind')),
    sa.CheckConstraint("plan IN ('FREE', 'PRO', 'ENTERPRISE')", name=op.f('ck_products_plan')),
    sa.CheckConstraint('access_window_days BETWEEN 1 AND 36500', name=op.f('ck_products_access_window_days')),
    sa.CheckConstraint('price_amount BETWEEN 1 AND 99999999', name=op.f('ck_products_price_amount')),
    sa.CheckConstraint('trial_days BETWEEN 0 AND 730', name=op.f('ck_products_trial_days')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_products')),
    sa.UniqueConstraint('sku', name=op.f('uq_products_sku')),
    sa.UniqueConstraint('stripe_price_id', name=op.f('uq_products_stripe_price_id')),
    sa.UniqueConstraint('stripe_product_id', name=op.f('uq_products_stripe_product_id')),
    schema='payments'
    )
    op.create_table('stripe_events',
    sa.Column('id', sa.Text(), nullable=False),
    sa.Column('type', sa.Text(), nullable=False),
    sa.Column('api_version', sa.Text(), nullable=True),
    sa.Column('object_id', sa.Text(), nullable=True),
    sa.Column('occurred_at', postgresql.TIMESTAMP(timezone=True), nullable=False),
    sa.Column('payload', postgresql.JSONB(), nullable=True),
    sa.Column('received_at', postgresql.TIMESTAMP(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('processed_at', postgresql.TIMESTAMP(timezone=True), nullable=True),
    sa.Column('attempts', sa.SmallInteger(), server_default='0', nullable=False),
    sa.Column('next_attempt_at', postgresql.TIMESTAMP(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('error', sa.Text(), nullable=True),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_stripe_events')),
    schema='payments'
    )
    op.create_index('ix_stripe_events_occurred_at', 'stripe_events', ['occurred_at'], unique=False, schema='payments')
    op.create_index('ix_stripe_events_type_id', 'stripe_events', ['type', 'id'], unique=False, schema='payments')
    op.create_index('ix_stripe_events_unprocessed', 'stripe_events', ['next_attempt_at'], unique=False, schema='payments', postgresql_where=sa.text('processed_at IS NULL'))
    op.create_table('customers',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('user_id', sa.Uuid(), nullable=True),
    sa.Column('stripe_customer_id', sa.Text(), nullable=True),
    sa.Column('name', sa.Text(), nullable=True),
    sa.Column('address_line1', sa.Text(), nullable=True),
    sa.Column('address_line2', sa.Text(), nullable=True),
    sa.Column('postal_code', sa.Text(), nullable=True),
    sa.Column('city', sa.Text(), nullable=True),
    sa.Column('state', sa.Text(), nullable=True),
    sa.Column('country', sa.Text(), nullable=True),
    sa.Column('vat_id', sa.Text(), nullable=True),
    sa.Column('default_payment_method', sa.Text(), nullable=True),
    sa.Column('gone_at', postgresql.TIMESTAMP(timezone=True), nullable=True),
    sa.Column('version_at', postgresql.TIMESTAMP(timezone=True), nullable=True),
    sa.Column('event_id', sa.Text(), nullable=True),
    sa.Column('created_at', postgresql.TIMESTAMP(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('updated_at', postgresql.TIMESTAMP(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.CheckConstraint("country ~ '^[A-Z]{2}$'", name=op.f('ck_customers_country')),
    sa.ForeignKeyConstraint(['user_id'], ['auth.users.id'], name=op.f('fk_customers_user_id'), ondelete='SET NULL'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_customers')),
    sa.UniqueConstraint('stripe_customer_id', name=op.f('uq_customers_stripe_customer_id')),
    sa.UniqueConstraint('user_id', name=op.f('uq_customers_user_id')),
    schema='payments'
    )
    op.create_table('product_grants',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('product_id', sa.Uuid(), nullable=False),
    sa.Column('feature', sa.Text(), nullable=False),
    sa.Column('course_id', sa.Uuid(), nullable=True),
    sa.Column('template_id', sa.Uuid(), nullable=True),
    sa.Column('deck_id', sa.Uuid(), nullable=True),
    sa.Column('created_at', postgresql.TIMESTAMP(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.CheckConstraint("feature IN ('courses', 'exams', 'flashcards', 'assignments', 'tutor', 'documents')", name=op.f('ck_product_grants_feature')),
    sa.CheckConstraint('num_nonnulls(course_id, template_id, deck_id) <= 1', name=op.f('ck_product_grants_one_scope')),
    sa.ForeignKeyConstraint(['product_id'], ['payments.products.id'], name=op.f('fk_product_grants_product_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_product_grants')),
    sa.UniqueConstraint('product_id', 'feature', 'course_id', 'template_id', 'deck_id', name='uq_product_grants_product_id_feature_scope', postgresql_nulls_not_distinct=True),
    schema='payments'
    )
    op.create_table('product_prices',
    sa.Column('stripe_price_id', sa.Text(), nullable=False),
    sa.Column('product_id', sa.Uuid(), nullable=False),
    sa.Column('amount', sa.BigInteger(), nullable=False),
    sa.Column('currency', sa.Text(), nullable=False),
    sa.Column('created_at', postgresql.TIMESTAMP(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('archived_at', postgresql.TIMESTAMP(timezone=True), nullable=True),
    sa.CheckConstraint("currency ~ '^[a-z]{3}$'", name=op.f('ck_product_prices_currency')),
    sa.CheckConstraint('amount > 0', name=op.f('ck_product_prices_amount')),
    sa.ForeignKeyConstraint(['product_id'], ['payments.products.id'], name=op.f('fk_product_prices_product_id'), ondelete='RESTRICT'),
    sa.PrimaryKeyConstraint('stripe_price_id', name=op.f('pk_product_prices')),
    schema='payments'
    )
    op.create_index(op.f('ix_product_prices_product_id'), 'product_prices', ['product_id'], unique=False, schema='payments')
    op.create_table('promotion_codes',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('code', sa.Text(), nullable=False),
    sa.Column('name', sa.Text(), nullable=False),
    sa.Column('percent_off', sa.Numeric(precision=5, scale=2), nullable=True),
    sa.Column('amount_off', sa.BigInteger(), nullable=True),
    sa.Column('currency', sa.Text(), nullable=True),
    sa.Column('duration', sa.Text(), nullable=False),
    sa.Column('duration_months', sa.SmallInteger(), nullable=True),
    sa.Column('max_redemptions', sa.Integer(), nullable=True),
    sa.Column('expires_at', postgresql.TIMESTAMP(timezone=True), nullable=True),
    sa.Column('is_active', sa.Boolean(), server_default=sa.text('true'), nullable=False),
    sa.Column('product_id', sa.Uuid(), nullable=True),
    sa.Column('stripe_coupon_id', sa.Text(), nullable=True),
    sa.Column('stripe_promotion_code_id', sa.Text(), nullable=True),
    sa.Column('created_by', sa.Uuid(), nullable=True),
    sa.Column('created_at', postgresql.TIMESTAMP(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('updated_at', postgresql.TIMESTAMP(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.CheckConstraint("(duration = 'REPEATING') = (duration_months IS NOT NULL)", name=op.f('ck_promotion_codes_duration_months')),
    sa.CheckConstraint("currency ~ '^[a-z]{3}$'", name=op.f('ck_promotion_codes_currency')),
    sa.CheckConstraint("duration IN ('ONCE', 'REPEATING', 'FOREVER')", name=op.f('ck_promotion_codes_duration')),
    sa.CheckConstraint('amount_off > 0', name=op.f('ck_promotion_codes_amount_off')),
    sa.CheckConstraint('max_redemptions > 0', name=op.f('ck_promotion_codes_max_redemptions')),
    sa.CheckConstraint('num_nonnulls(percent_off, amount_off) = 1', name=op.f('ck_promotion_codes_one_discount')),
    sa.CheckConstraint('num_nulls(amount_off, currency) IN (0, 2)', name=op.f('ck_promotion_codes_amount_has_currency')),
    sa.CheckConstraint('percent_off > 0 AND percent_off <= 100', name=op.f('ck_promotion_codes_percent_off')),
    sa.ForeignKeyConstraint(['created_by'], ['auth.users.id'], name=op.f('fk_promotion_codes_created_by'), ondelete='SET NULL'),
    sa.ForeignKeyConstraint(['product_id'], ['payments.products.id'], name=op.f('fk_promotion_codes_product_id'), ondelete='RESTRICT'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_promotion_codes')),
    sa.UniqueConstraint('stripe_promotion_code_id', name=op.f('uq_promotion_codes_stripe_promotion_code_id')),
    schema='payments'
    )
    op.create_index(op.f('ix_promotion_codes_created_by'), 'promotion_codes', ['created_by'], unique=False, schema='payments')
    op.create_index(op.f('ix_promotion_codes_product_id'), 'promotion_codes', ['product_id'], unique=False, schema='payments')
    op.create_index('uq_promotion_codes_code_upper', 'promotion_codes', [sa.literal_column('upper(code)')], unique=True, schema='payments')
    op.create_table('checkouts',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('user_id', sa.Uuid(), nullable=True),
    sa.Column('customer_id', sa.Uuid(), nullable=False),
    sa.Column('product_id', sa.Uuid(), nullable=False),
    sa.Column('mode', sa.Text(), nullable=False),
    sa.Column('status', sa.Text(), server_default='OPEN', nullable=False),
    sa.Column('quantity', sa.Integer(), server_default='1', nullable=False),
    sa.Column('price_amount', sa.BigInteger(), nullable=False),
    sa.Column('currency', sa.Text(), nullable=False),
    sa.Column('stripe_price_id', sa.Text(), nullable=False),
    sa.Column('promotion_code', sa.Text(), nullable=True),
    sa.Column('trial_days', sa.Integer(), server_default='0', nullable=False),
    sa.Column('success_url', sa.Text(), nullable=False),
    sa.Column('cancel_url', sa.Text(), nullable=False),
    sa.Column('stripe_session_id', sa.Text(), nullable=True),
    sa.Column('url', sa.Text(), nullable=True),
    sa.Column('expires_at', postgresql.TIMESTAMP(timezone=True), nullable=False),
    sa.Column('is_paid', sa.Boolean(), server_default=sa.text('false'), nullable=False),
    sa.Column('paid_at', postgresql.TIMESTAMP(timezone=True), nullable=True),
    sa.Column('amount_total', sa.BigInteger(), nullable=True),
    sa.Column('stripe_payment_intent_id', sa.Text(), nullable=True),
    sa.Column('stripe_subscription_id', sa.Text(), nullable=True),
    sa.Column('version_at', postgresql.TIMESTAMP(timezone=True), nullable=True),
    sa.Column('event_id', sa.Text(), nullable=True),
    sa.Column('created_at', postgresql.TIMESTAMP(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('updated_at', postgresql.TIMESTAMP(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.CheckConstraint("mode IN ('PAYMENT', 'SUBSCRIPTION')", name=op.f('ck_checkouts_mode')),
    sa.CheckConstraint("status IN ('OPEN', 'COMPLETED', 'EXPIRED', 'FAILED')", name=op.f('ck_checkouts_status')),
    sa.CheckConstraint('quantity > 0', name=op.f('ck_checkouts_quantity')),
    sa.ForeignKeyConstraint(['customer_id'], ['payments.customers.id'], name=op.f('fk_checkouts_customer_id'), ondelete='RESTRICT'),
    sa.ForeignKeyConstraint(['product_id'], ['payments.products.id'], name=op.f('fk_checkouts_product_id'), ondelete='RESTRICT'),
    sa.ForeignKeyConstraint(['user_id'], ['auth.users.id'], name=op.f('fk_checkouts_user_id'), ondelete='SET NULL'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_checkouts')),
    sa.UniqueConstraint('stripe_session_id', name=op.f('uq_checkouts_stripe_session_id')),
    schema='payments'
    )
    op.create_index(op.f('ix_checkouts_customer_id'), 'checkouts', ['customer_id'], unique=False, schema='payments')
    op.create_index('ix_checkouts_open_expires_at', 'checkouts', ['expires_at'], unique=False, schema='payments', postgresql_where=sa.text("status = 'OPEN'"))
    op.create_index(op.f('ix_checkouts_product_id'), 'checkouts', ['product_id'], unique=False, schema='payments')
    op.create_index(op.f('ix_checkouts_stripe_payment_intent_id'), 'checkouts', ['stripe_payment_intent_id'], unique=False, schema='payments')
    op.create_index(op.f('ix_checkouts_user_id'), 'checkouts', ['user_id'], unique=False, schema='payments')
    op.create_index('uq_checkouts_open_product', 'checkouts', ['user_id', 'product_id'], unique=True, schema='payments', postgresql_where=sa.text("status = 'OPEN'"))
    op.create_index('uq_checkouts_open_subscription', 'checkouts', ['user_id'], unique=True, schema='payments', postgresql_where=sa.text("status = 'OPEN' AND mode = 'SUBSCRIPTION'"))
    op.create_table('payment_methods',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('customer_id', sa.Uuid(), nullable=False),
    sa.Column('type', sa.Text(), nullable=False),
    sa.Column('stripe_payment_method_id', sa.Text(), nullable=False),
    sa.Column('brand', sa.Text(), nullable=True),
    sa.Column('last4', sa.Text(), nullable=True),
    sa.Column('expiry_month', sa.SmallInteger(), nullable=True),
    sa.Column('expiry_year', sa.SmallInteger(), nullable=True),
    sa.Column('paypal_email', sa.Text(), nullable=True),
    sa.Column('detached_at', postgresql.TIMESTAMP(timezone=True), nullable=True),
    sa.Column('version_at', postgresql.TIMESTAMP(timezone=True), nullable=True),
    sa.Column('event_id', sa.Text(), nullable=True),
    sa.Column('created_at', postgresql.TIMESTAMP(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('updated_at', postgresql.TIMESTAMP(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.CheckConstraint("type IN ('CARD', 'PAYPAL', 'BANK_TRANSFER')", name=op.f('ck_payment_methods_type')),
    sa.ForeignKeyConstraint(['customer_id'], ['payments.customers.id'], name=op.f('fk_payment_methods_customer_id'), ondelete='RESTRICT'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_payment_methods')),
    sa.UniqueConstraint('stripe_payment_method_id', name=op.f('uq_payment_methods_stripe_payment_method_id')),
    schema='payments'
    )
    op.create_index(op.f('ix_payment_methods_customer_id'), 'payment_methods', ['customer_id'], unique=False, schema='payments')
    op.create_table('subscriptions',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('user_id', sa.Uuid(), nullable=True),
    sa.Column('customer_id', sa.Uuid(), nullable=False),
    sa.Column('product_id', sa.Uuid(), nullable=False),
    sa.Column('stripe_subscription_id', sa.Text(), nullable=False),
    sa.Column('stripe_item_id', sa.Text(), nullable=True),
    sa.Column('stripe_price_id', sa.Text(), nullable=False),
    sa.Column('plan', sa.Text(), nullable=False),
    sa.Column('interval', sa.Text(), nullable=False),
    sa.Column('amount', sa.BigInteger(), nullable=False),
    sa.Column('currency', sa.Text(), nullable=False),
    sa.Column('quantity', sa.Integer(), server_default='1', nullable=False),
    sa.Column('status', sa.Text(), nullable=False),
    sa.Column('started_at', postgresql.TIMESTAMP(timezone=True), nullable=False),
    sa.Column('trial_end', postgresql.TIMESTAMP(timezone=True), nullable=True),
    sa.Column('current_period_start', postgresql.TIMESTAMP(timezone=True), nullable=False),
    sa.Column('current_period_end', postgresql.TIMESTAMP(timezone=True), nullable=False),
    sa.Column('cancel_at_period_end', sa.Boolean(), server_default=sa.text('false'), nullable=False),
    sa.Column('canceled_at', postgresql.TIMESTAMP(timezone=True), nullable=True),
    sa.Column('ended_at', postgresql.TIMESTAMP(timezone=True), nullable=True),
    sa.Column('payment_failed_at', postgresql.TIMESTAMP(timezone=True), nullable=True),
    sa.Column('access_ended_at', postgresql.TIMESTAMP(timezone=True), nullable=True),
    sa.Column('access_end_event_id', sa.Text(), nullable=True),
    sa.Column('is_duplicate', sa.Boolean(), server_default=sa.text('false'), nullable=False),
    sa.Column('cancel_requested_at', postgresql.TIMESTAMP(timezone=True), nullable=True),
    sa.Column('metadata', postgresql.JSONB(), server_default=sa.text("'{}'"), nullable=False),
    sa.Column('version_at', postgresql.TIMESTAMP(timezone=True), nullable=True),
    sa.Column('event_id', sa.Text(), nullable=True),
    sa.Column('created_at', postgresql.TIMESTAMP(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('updated_at', postgresql.TIMESTAMP(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.CheckConstraint("interval IN ('MONTHLY', 'ANNUAL')", name=op.f('ck_subscriptions_interval')),
    sa.CheckConstraint("plan IN ('FREE', 'PRO', 'ENTERPRISE')", name=op.f('ck_subscriptions_plan')),
    sa.CheckConstraint("status IN ('TRIALING', 'ACTIVE', 'PAST_DUE', 'PAUSED', 'CANCELED', 'EXPIRED', 'INCOMPLETE')", name=op.f('ck_subscriptions_status')),
    sa.CheckConstraint('quantity >= 0', name=op.f('ck_subscriptions_quantity')),
    sa.ForeignKeyConstraint(['customer_id'], ['payments.customers.id'], name=op.f('fk_subscriptions_customer_id'), ondelete='RESTRICT'),
    sa.ForeignKeyConstraint(['product_id'], ['payments.products.id'], name=op.f('fk_subscriptions_product_id'), ondelete='RESTRICT'),
    sa.ForeignKeyConstraint(['user_id'], ['auth.users.id'], name=op.f('fk_subscriptions_user_id'), ondelete='SET NULL'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_subscriptions')),
    sa.UniqueConstraint('stripe_subscription_id', name=op.f('uq_subscriptions_stripe_subscription_id')),
    schema='payments'
    )
    op.create_index('ix_subscriptions_cancel_requested_at', 'subscriptions', ['cancel_requested_at'], unique=False, schema='payments', postgresql_where=sa.text('cancel_requested_at IS NOT NULL AND ended_at IS NULL'))
    op.create_index(op.f('ix_subscriptions_customer_id'), 'subscriptions', ['customer_id'], unique=False, schema='payments')
    op.create_index(op.f('ix_subscriptions_product_id'), 'subscriptions', ['product_id'], unique=False, schema='payments')
    op.create_index('ix_subscriptions_status_current_period_end', 'subscriptions', ['status', 'current_period_end'], unique=False, schema='payments')
    op.create_index(op.f('ix_subscriptions_user_id_id'), 'subscriptions', ['user_id', 'id'], unique=False, schema='payments')
    op.create_index('uq_subscriptions_live', 'subscriptions', ['user_id'], unique=True, schema='payments', postgresql_where=sa.text("status IN ('TRIALING', 'ACTIVE', 'PAST_DUE', 'PAUSED') AND NOT is_duplicate"))
    op.create_table('purchases',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('user_id', sa.Uuid(), nullable=True),
    sa.Column('product_id', sa.Uuid(), nullable=False),
    sa.Column('checkout_id', sa.Uuid(), nullable=False),
    sa.Column('stripe_payment_intent_id', sa.Text(), nullable=True),
    sa.Column('status', sa.Text(), server_default='PENDING', nullable=False),
    sa.Column('status_reason', sa.Text(), nullable=True),
    sa.Column('total_amount', sa.BigInteger(), nullable=False),
    sa.Column('currency', sa.Text(), nullable=False),
    sa.Column('refunded_amount', sa.BigInteger(), server_default='0', nullable=False),
    sa.Column('access_start', postgresql.TIMESTAMP(timezone=True), nullable=True),
    sa.Column('access_end', postgresql.TIMESTAMP(timezone=True), nullable=True),
    sa.Column('is_duplicate', sa.Boolean(), server_default=sa.text('false'), nullable=False),
    sa.Column('event_id', sa.Text(), nullable=True),
    sa.Column('created_at', postgresql.TIMESTAMP(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('updated_at', postgresql.TIMESTAMP(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.CheckConstraint("status IN ('PENDING', 'COMPLETED', 'FAILED', 'REFUNDED', 'CANCELED')", name=op.f('ck_purchases_status')),
    sa.CheckConstraint("status NOT IN ('COMPLETED') OR access_start IS NOT NULL", name=op.f('ck_purchases_completed_has_start')),
    sa.CheckConstraint('refunded_amount BETWEEN 0 AND total_amount', name=op.f('ck_purchases_refunded_amount')),
    sa.ForeignKeyConstraint(['checkout_id'], ['payments.checkouts.id'], name=op.f('fk_purchases_checkout_id'), ondelete='RESTRICT'),
    sa.ForeignKeyConstraint(['product_id'], ['payments.products.id'], name=op.f('fk_purchases_product_id'), ondelete='RESTRICT'),
    sa.ForeignKeyConstraint(['user_id'], ['auth.users.id'], name=op.f('fk_purchases_user_id'), ondelete='SET NULL'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_purchases')),
    sa.UniqueConstraint('checkout_id', name=op.f('uq_purchases_checkout_id')),
    sa.UniqueConstraint('stripe_payment_intent_id', name=op.f('uq_purchases_stripe_payment_intent_id')),
    schema='payments'
    )
    op.create_index(op.f('ix_purchases_product_id'), 'purchases', ['product_id'], unique=False, schema='payments')
    op.create_index('ix_purchases_user_id_completed', 'purchases', ['user_id', 'access_end'], unique=False, schema='payments', postgresql_where=sa.text("status = 'COMPLETED'"))
    op.create_index(op.f('ix_purchases_user_id_id'), 'purchases', ['user_id', 'id'], unique=False, schema='payments')
    op.create_table('seats',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('subscription_id', sa.Uuid(), nullable=False),
    sa.Column('user_id', sa.Uuid(), nullable=False),
    sa.Column('taken_at', postgresql.TIMESTAMP(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('removed_at', postgresql.TIMESTAMP(timezone=True), nullable=True),
    sa.ForeignKeyConstraint(['subscription_id'], ['payments.subscriptions.id'], name=op.f('fk_seats_subscription_id'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['user_id'], ['auth.users.id'], name=op.f('fk_seats_user_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_seats')),
    schema='payments'
    )
    op.create_index(op.f('ix_seats_subscription_id'), 'seats', ['subscription_id'], unique=False, schema='payments')
    op.create_index(op.f('ix_seats_user_id'), 'seats', ['user_id'], unique=False, schema='payments')
    op.create_index('uq_seats_taken', 'seats', ['subscription_id', 'user_id'], unique=True, schema='payments', postgresql_where=sa.text('removed_at IS NULL'))
    op.create_table('invoices',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('user_id', sa.Uuid(), nullable=True),
    sa.Column('customer_id', sa.Uuid(), nullable=False),
    sa.Column('subscription_id', sa.Uuid(), nullable=True),
    sa.Column('purchase_id', sa.Uuid(), nullable=True),
    sa.Column('number', sa.Text(), nullable=True),
    sa.Column('stripe_invoice_id', sa.Text(), nullable=True),
    sa.Column('status', sa.Text(), server_default='DRAFT', nullable=False),
    sa.Column('amount', sa.BigInteger(), nullable=False),
    sa.Column('discount', sa.BigInteger(), server_default='0', nullable=False),
    sa.Column('tax', sa.BigInteger(), server_default='0', nullable=False),
    sa.Column('total', sa.BigInteger(), nullable=False),
    sa.Column('amount_paid', sa.BigInteger(), server_default='0', nullable=False),
    sa.Column('currency', sa.Text(), nullable=False),
    sa.Column('lines', postgresql.JSONB(), server_default=sa.text("'[]'"), nullable=False),
    sa.Column('bill_to', postgresql.JSONB(), server_default=sa.text("'{}'"), nullable=False),
    sa.Column('invoice_url', sa.Text(), nullable=True),
    sa.Column('period_start', postgresql.TIMESTAMP(timezone=True), nullable=True),
    sa.Column('period_end', postgresql.TIMESTAMP(timezone=True), nullable=True),
    sa.Column('issued_at', postgresql.TIMESTAMP(timezone=True), nullable=True),
    sa.Column('due_at', postgresql.TIMESTAMP(timezone=True), nullable=True),
    sa.Column('paid_at', postgresql.TIMESTAMP(timezone=True), nullable=True),
    sa.Column('first_failed_at', postgresql.TIMESTAMP(timezone=True), nullable=True),
    sa.Column('next_attempt_at', postgresql.TIMESTAMP(timezone=True), nullable=True),
    sa.Column('attempts', sa.SmallInteger(), server_default='0', nullable=False),
    sa.Column('version_at', postgresql.TIMESTAMP(timezone=True), nullable=True),
    sa.Column('event_id', sa.Text(), nullable=True),
    sa.Column('created_at', postgresql.TIMESTAMP(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('updated_at', postgresql.TIMESTAMP(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.CheckConstraint("status = 'DRAFT' OR number IS NOT NULL", name=op.f('ck_invoices_finalized_has_number')),
    sa.CheckConstraint("status IN ('DRAFT', 'SENT', 'PAID', 'OVERDUE', 'CANCELED')", name=op.f('ck_invoices_status')),
    sa.CheckConstraint('num_nonnulls(subscription_id, purchase_id) = 1', name=op.f('ck_invoices_of_one_thing')),
    sa.ForeignKeyConstraint(['customer_id'], ['payments.customers.id'], name=op.f('fk_invoices_customer_id'), ondelete='RESTRICT'),
    sa.ForeignKeyConstraint(['purchase_id'], ['payments.purchases.id'], name=op.f('fk_invoices_purchase_id'), ondelete='RESTRICT'),
    sa.ForeignKeyConstraint(['subscription_id'], ['payments.subscriptions.id'], name=op.f('fk_invoices_subscription_id'), ondelete='RESTRICT'),
    sa.ForeignKeyConstraint(['user_id'], ['auth.users.id'], name=op.f('fk_invoices_user_id'), ondelete='SET NULL'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_invoices')),
    sa.UniqueConstraint('number', name=op.f('uq_invoices_number')),
    sa.UniqueConstraint('purchase_id', name=op.f('uq_invoices_purchase_id')),
    sa.UniqueConstraint('stripe_invoice_id', name=op.f('uq_invoices_stripe_invoice_id')),
    schema='payments'
    )
    op.create_index(op.f('ix_invoices_customer_id'), 'invoices', ['customer_id'], unique=False, schema='payments')
    op.create_index('ix_invoices_failing', 'invoices', ['first_failed_at'], unique=False, schema='payments', postgresql_where=sa.text("first_failed_at IS NOT NULL AND status IN ('SENT', 'OVERDUE')"))
    op.create_index(op.f('ix_invoices_subscription_id'), 'invoices', ['subscription_id'], unique=False, schema='payments')
    op.create_index(op.f('ix_invoices_user_id_id'), 'invoices', ['user_id', 'id'], unique=False, schema='payments')
    op.create_table('seat_invitations',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('subscription_id', sa.Uuid(), nullable=False),
    sa.Column('email', sa.Text(), nullable=False),
    sa.Column('token_hash', sa.LargeBinary(), nullable=False),
    sa.Column('created_at', postgresql.TIMESTAMP(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('expires_at', postgresql.TIMESTAMP(timezone=True), nullable=False),
    sa.Column('accepted_at', postgresql.TIMESTAMP(timezone=True), nullable=True),
    sa.Column('revoked_at', postgresql.TIMESTAMP(timezone=True), nullable=True),
    sa.Column('seat_id', sa.Uuid(), nullable=True),
    sa.ForeignKeyConstraint(['seat_id'], ['payments.seats.id'], name=op.f('fk_seat_invitations_seat_id'), ondelete='SET NULL'),
    sa.ForeignKeyConstraint(['subscription_id'], ['payments.subscriptions.id'], name=op.f('fk_seat_invitations_subscription_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_seat_invitations')),
    sa.UniqueConstraint('token_hash', name=op.f('uq_seat_invitations_token_hash')),
    schema='payments'
    )
    op.create_index(op.f('ix_seat_invitations_expires_at'), 'seat_invitations', ['expires_at'], unique=False, schema='payments')
    op.create_index(op.f('ix_seat_invitations_seat_id'), 'seat_invitations', ['seat_id'], unique=False, schema='payments')
    op.create_index(op.f('ix_seat_invitations_subscription_id'), 'seat_invitations', ['subscription_id'], unique=False, schema='payments')
    op.create_index('uq_seat_invitations_open', 'seat_invitations', ['subscription_id', sa.literal_column('lower(email)')], unique=True, schema='payments', postgresql_where=sa.text('accepted_at IS NULL AND revoked_at IS NULL'))
    op.create_table('transactions',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('user_id', sa.Uuid(), nullable=True),
    sa.Column('customer_id', sa.Uuid(), nullable=False),
    sa.Column('purchase_id', sa.Uuid(), nullable=True),
    sa.Column('subscription_id', sa.Uuid(), nullable=True),
    sa.Column('invoice_id', sa.Uuid(), nullable=True),
    sa.Column('stripe_payment_intent_id', sa.Text(), nullable=False),
    sa.Column('stripe_charge_id', sa.Text(), nullable=True),
    sa.Column('amount', sa.BigInteger(), nullable=False),
    sa.Column('currency', sa.Text(), nullable=False),
    sa.Column('refunded_amount', sa.BigInteger(), server_default='0', nullable=False),
    sa.Column('status', sa.Text(), server_default='PENDING', nullable=False),
    sa.Column('payment_method', sa.Text(), nullable=True),
    sa.Column('description', sa.Text(), nullable=True),
    sa.Column('failure_code', sa.Text(), nullable=True),
    sa.Column('paid_at', postgresql.TIMESTAMP(timezone=True), nullable=True),
    sa.Column('failed_at', postgresql.TIMESTAMP(timezone=True), nullable=True),
    sa.Column('charge_version_at', postgresql.TIMESTAMP(timezone=True), nullable=True),
    sa.Column('charge_event_id', sa.Text(), nullable=True),
    sa.Column('version_at', postgresql.TIMESTAMP(timezone=True), nullable=True),
    sa.Column('event_id', sa.Text(), nullable=True),
    sa.Column('created_at', postgresql.TIMESTAMP(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('updated_at', postgresql.TIMESTAMP(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.CheckConstraint("status IN ('PENDING', 'PROCESSING', 'SUCCEEDED', 'FAILED', 'REFUNDED')", name=op.f('ck_transactions_status')),
    sa.CheckConstraint('refunded_amount BETWEEN 0 AND amount', name=op.f('ck_transactions_refunded_amount')),
    sa.ForeignKeyConstraint(['customer_id'], ['payments.customers.id'], name=op.f('fk_transactions_customer_id'), ondelete='RESTRICT'),
    sa.ForeignKeyConstraint(['invoice_id'], ['payments.invoices.id'], name=op.f('fk_transactions_invoice_id'), ondelete='RESTRICT'),
    sa.ForeignKeyConstraint(['purchase_id'], ['payments.purchases.id'], name=op.f('fk_transactions_purchase_id'), ondelete='RESTRICT'),
    sa.ForeignKeyConstraint(['subscription_id'], ['payments.subscriptions.id'], name=op.f('fk_transactions_subscription_id'), ondelete='RESTRICT'),
    sa.ForeignKeyConstraint(['user_id'], ['auth.users.id'], name=op.f('fk_transactions_user_id'), ondelete='SET NULL'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_transactions')),
    sa.UniqueConstraint('stripe_charge_id', name=op.f('uq_transactions_stripe_charge_id')),
    sa.UniqueConstraint('stripe_payment_intent_id', name=op.f('uq_transactions_stripe_payment_intent_id')),
    schema='payments'
    )
    op.create_index(op.f('ix_transactions_customer_id'), 'transactions', ['customer_id'], unique=False, schema='payments')
    op.create_index(op.f('ix_transactions_invoice_id'), 'transactions', ['invoice_id'], unique=False, schema='payments')
    op.create_index(op.f('ix_transactions_purchase_id'), 'transactions', ['purchase_id'], unique=False, schema='payments')
    op.create_index(op.f('ix_transactions_subscription_id'), 'transactions', ['subscription_id'], unique=False, schema='payments')
    op.create_index(op.f('ix_transactions_user_id_id'), 'transactions', ['user_id', 'id'], unique=False, schema='payments')
    op.create_table('disputes',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('transaction_id', sa.Uuid(), nullable=False),
    sa.Column('stripe_dispute_id', sa.Text(), nullable=False),
    sa.Column('amount', sa.BigInteger(), nullable=False),
    sa.Column('currency', sa.Text(), nullable=False),
    sa.Column('reason', sa.Text(), nullable=True),
    sa.Column('status', sa.Text(), nullable=False),
    sa.Column('opened_at', postgresql.TIMESTAMP(timezone=True), nullable=False),
    sa.Column('closed_at', postgresql.TIMESTAMP(timezone=True), nullable=True),
    sa.Column('version_at', postgresql.TIMESTAMP(timezone=True), nullable=True),
    sa.Column('event_id', sa.Text(), nullable=True),
    sa.Column('created_at', postgresql.TIMESTAMP(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('updated_at', postgresql.TIMESTAMP(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.CheckConstraint("status IN ('OPEN', 'WON', 'LOST')", name=op.f('ck_disputes_status')),
    sa.ForeignKeyConstraint(['transaction_id'], ['payments.transactions.id'], name=op.f('fk_disputes_transaction_id'), ondelete='RESTRICT'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_disputes')),
    sa.UniqueConstraint('stripe_dispute_id', name=op.f('uq_disputes_stripe_dispute_id')),
    schema='payments'
    )
    op.create_index(op.f('ix_disputes_transaction_id'), 'disputes', ['transaction_id'], unique=False, schema='payments')
    op.create_table('refunds',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('transaction_id', sa.Uuid(), nullable=False),
    sa.Column('amount', sa.BigInteger(), nullable=False),
    sa.Column('currency', sa.Text(), nullable=False),
    sa.Column('origin', sa.Text(), nullable=False),
    sa.Column('reason', sa.Text(), nullable=True),
    sa.Column('status', sa.Text(), server_default='PENDING', nullable=False),
    sa.Column('requested_by', sa.Uuid(), nullable=True),
    sa.Column('stripe_refund_id', sa.Text(), nullable=True),
    sa.Column('error', sa.Text(), nullable=True),
    sa.Column('settled_at', postgresql.TIMESTAMP(timezone=True), nullable=True),
    sa.Column('version_at', postgresql.TIMESTAMP(timezone=True), nullable=True),
    sa.Column('event_id', sa.Text(), nullable=True),
    sa.Column('created_at', postgresql.TIMESTAMP(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('updated_at', postgresql.TIMESTAMP(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.CheckConstraint("origin IN ('BUYER', 'SUPPORT', 'AUTOMATIC', 'STRIPE')", name=op.f('ck_refunds_origin')),
    sa.CheckConstraint("status IN ('PENDING', 'SUCCEEDED', 'FAILED', 'CANCELED')", name=op.f('ck_refunds_status')),
    sa.CheckConstraint('amount > 0', name=op.f('ck_refunds_amount')),
    sa.ForeignKeyConstraint(['requested_by'], ['auth.users.id'], name=op.f('fk_refunds_requested_by'), ondelete='SET NULL'),
    sa.ForeignKeyConstraint(['transaction_id'], ['payments.transactions.id'], name=op.f('fk_refunds_transaction_id'), ondelete='RESTRICT'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_refunds')),
    sa.UniqueConstraint('stripe_refund_id', name=op.f('uq_refunds_stripe_refund_id')),
    schema='payments'
    )
    op.create_index('ix_refunds_owed', 'refunds', ['id'], unique=False, schema='payments', postgresql_where=sa.text("status = 'PENDING' AND stripe_refund_id IS NULL"))
    op.create_index(op.f('ix_refunds_requested_by'), 'refunds', ['requested_by'], unique=False, schema='payments')
    op.create_index(op.f('ix_refunds_transaction_id'), 'refunds', ['transaction_id'], unique=False, schema='payments')
    op.create_table('credit_notes',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('invoice_id', sa.Uuid(), nullable=False),
    sa.Column('refund_id', sa.Uuid(), nullable=False),
    sa.Column('number', sa.Text(), nullable=False),
    sa.Column('amount', sa.BigInteger(), nullable=False),
    sa.Column('currency', sa.Text(), nullable=False),
    sa.Column('reason', sa.Text(), nullable=True),
    sa.Column('issued_at', postgresql.TIMESTAMP(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.CheckConstraint('amount > 0', name=op.f('ck_credit_notes_amount')),
    sa.ForeignKeyConstraint(['invoice_id'], ['payments.invoices.id'], name=op.f('fk_credit_notes_invoice_id'), ondelete='RESTRICT'),
    sa.ForeignKeyConstraint(['refund_id'], ['payments.refunds.id'], name=op.f('fk_credit_notes_refund_id'), ondelete='RESTRICT'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_credit_notes')),
    sa.UniqueConstraint('number', name=op.f('uq_credit_notes_number')),
    sa.UniqueConstraint('refund_id', name=op.f('uq_credit_notes_refund_id')),
    schema='payments'
    )
    op.create_index(op.f('ix_credit_notes_invoice_id'), 'credit_notes', ['invoice_id'], unique=False, schema='payments')


def downgrade() -> None:
    op.drop_index(op.f('ix_credit_notes_invoice_id'), table_name='credit_notes', schema='payments')
    op.drop_table('credit_notes', schema='payments')
    op.drop_index(op.f('ix_refunds_transaction_id'), table_name='refunds', schema='payments')
    op.drop_index(op.f('ix_refunds_requested_by'), table_name='refunds', schema='payments')
    op.drop_index('ix_refunds_owed', table_name='refunds', schema='payments', postgresql_where=sa.text("status = 'PENDING' AND stripe_refund_id IS NULL"))
    op.drop_table('refunds', schema='payments')
    op.drop_index(op.f('ix_disputes_transaction_id'), table_name='disputes', schema='payments')
    op.drop_table('disputes', schema='payments')
    op.drop_index(op.f('ix_transactions_user_id_id'), table_name='transactions', schema='payments')
    op.drop_index(op.f('ix_transactions_subscription_id'), table_name='transactions', schema='payments')
    op.drop_index(op.f('ix_transactions_purchase_id'), table_name='transactions', schema='payments')
    op.drop_index(op.f('ix_transactions_invoice_id'), table_name='transactions', schema='payments')
    op.drop_index(op.f('ix_transactions_customer_id'), table_name='transactions', schema='payments')
    op.drop_table('transactions', schema='payments')
    op.drop_index('uq_seat_invitations_open', table_name='seat_invitations', schema='payments', postgresql_where=sa.text('accepted_at IS NULL AND revoked_at IS NULL'))
    op.drop_index(op.f('ix_seat_invitations_subscription_id'), table_name='seat_invitations', schema='payments')
    op.drop_index(op.f('ix_seat_invitations_seat_id'), table_name='seat_invitations', schema='payments')
    op.drop_index(op.f('ix_seat_invitations_expires_at'), table_name='seat_invitations', schema='payments')
    op.drop_table('seat_invitations', schema='payments')
    op.drop_index(op.f('ix_invoices_user_id_id'), table_name='invoices', schema='payments')
    op.drop_index(op.f('ix_invoices_subscription_id'), table_name='invoices', schema='payments')
    op.drop_index('ix_invoices_failing', table_name='invoices', schema='payments', postgresql_where=sa.text("first_failed_at IS NOT NULL AND status IN ('SENT', 'OVERDUE')"))
    op.drop_index(op.f('ix_invoices_customer_id'), table_name='invoices', schema='payments')
    op.drop_table('invoices', schema='payments')
    op.drop_index('uq_seats_taken', table_name='seats', schema='payments', postgresql_where=sa.text('removed_at IS NULL'))
    op.drop_index(op.f('ix_seats_user_id'), table_name='seats', schema='payments')
    op.drop_index(op.f('ix_seats_subscription_id'), table_name='seats', schema='payments')
    op.drop_table('seats', schema='payments')
    op.drop_index(op.f('ix_purchases_user_id_id'), table_name='purchases', schema='payments')
    op.drop_index('ix_purchases_user_id_completed', table_name='purchases', schema='payments', postgresql_where=sa.text("status = 'COMPLETED'"))
    op.drop_index(op.f('ix_purchases_product_id'), table_name='purchases', schema='payments')
    op.drop_table('purchases', schema='payments')
    op.drop_index('uq_subscriptions_live', table_name='subscriptions', schema='payments', postgresql_where=sa.text("status IN ('TRIALING', 'ACTIVE', 'PAST_DUE', 'PAUSED') AND NOT is_duplicate"))
    op.drop_index(op.f('ix_subscriptions_user_id_id'), table_name='subscriptions', schema='payments')
    op.drop_index('ix_subscriptions_status_current_period_end', table_name='subscriptions', schema='payments')
    op.drop_index(op.f('ix_subscriptions_product_id'), table_name='subscriptions', schema='payments')
    op.drop_index(op.f('ix_subscriptions_customer_id'), table_name='subscriptions', schema='payments')
    op.drop_index('ix_subscriptions_cancel_requested_at', table_name='subscriptions', schema='payments', postgresql_where=sa.text('cancel_requested_at IS NOT NULL AND ended_at IS NULL'))
    op.drop_table('subscriptions', schema='payments')
    op.drop_index(op.f('ix_payment_methods_customer_id'), table_name='payment_methods', schema='payments')
    op.drop_table('payment_methods', schema='payments')
    op.drop_index('uq_checkouts_open_subscription', table_name='checkouts', schema='payments', postgresql_where=sa.text("status = 'OPEN' AND mode = 'SUBSCRIPTION'"))
    op.drop_index('uq_checkouts_open_product', table_name='checkouts', schema='payments', postgresql_where=sa.text("status = 'OPEN'"))
    op.drop_index(op.f('ix_checkouts_user_id'), table_name='checkouts', schema='payments')
    op.drop_index(op.f('ix_checkouts_stripe_payment_intent_id'), table_name='checkouts', schema='payments')
    op.drop_index(op.f('ix_checkouts_product_id'), table_name='checkouts', schema='payments')
    op.drop_index('ix_checkouts_open_expires_at', table_name='checkouts', schema='payments', postgresql_where=sa.text("status = 'OPEN'"))
    op.drop_index(op.f('ix_checkouts_customer_id'), table_name='checkouts', schema='payments')
    op.drop_table('checkouts', schema='payments')
    op.drop_index('uq_promotion_codes_code_upper', table_name='promotion_codes', schema='payments')
    op.drop_index(op.f('ix_promotion_codes_product_id'), table_name='promotion_codes', schema='payments')
    op.drop_index(op.f('ix_promotion_codes_created_by'), table_name='promotion_codes', schema='payments')
    op.drop_table('promotion_codes', schema='payments')
    op.drop_index(op.f('ix_product_prices_product_id'), table_name='product_prices', schema='payments')
    op.drop_table('product_prices', schema='payments')
    op.drop_table('product_grants', schema='payments')
    op.drop_table('customers', schema='payments')
    op.drop_index('ix_stripe_events_unprocessed', table_name='stripe_events', schema='payments', postgresql_where=sa.text('processed_at IS NULL'))
    op.drop_index('ix_stripe_events_type_id', table_name='stripe_events', schema='payments')
    op.drop_index('ix_stripe_events_occurred_at', table_name='stripe_events', schema='payments')
    op.drop_table('stripe_events', schema='payments')
    op.drop_table('products', schema='payments')
    op.drop_table('number_series', schema='payments')
    op.execute("DROP SCHEMA payments")
    op.execute(f"DELETE FROM notifications.email_queue WHERE template IN ({_quoted(ADDED)})")
    _allow(*TEMPLATES)
