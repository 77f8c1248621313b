"""Which mails people get because of what they did, or didn't: a file for each family of triggers,
each a set-based statement; what takes a mail back; broadcasts; and why somebody got one or not.
"""
