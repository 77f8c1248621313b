"""The one-machine stack: everything that AWS and Stripe are in production, on this machine."""
