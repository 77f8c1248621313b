"""Plays users under a simulated clock and shows which mails they get, or don't, and why."""
