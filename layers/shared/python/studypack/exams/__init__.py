"""Timed exams: a blueprint becomes a frozen form, responses, a score and a review."""
