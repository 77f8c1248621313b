"""Other people's services, each with its local stand-in beside it. (Storage, e-mail and Stripe
move in here.)
"""
