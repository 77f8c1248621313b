"""Who is calling and what they may use: one statement over identity and billing, and guards for
routes.
"""
