"""Products, checkouts, subscriptions, refunds, invoices; Stripe is the truth for payments, these
tables are the truth for access.
"""
