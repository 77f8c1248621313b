"""django-post-office and procrastinate, driven by benchmarks/email_queue.py in an environment of
their own.
"""
