"""What Stripe's events do to our tables: a handler a type."""
