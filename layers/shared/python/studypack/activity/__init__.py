"""Facts about what learners do: XP, the feed, analytics events. Written by the floors above,
never calculated here.
"""
