"""Courses and their taxonomy of topics; owns topic mastery, into which the floors above write."""
