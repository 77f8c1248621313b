"""How one gets in: sign-up, sign-in, sessions, e-mail and password tokens, throttles."""
