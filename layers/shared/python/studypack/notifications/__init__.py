"""What we tell people: the e-mail queue now; sending, in-app notifications and preferences join
it here.
"""
