"""Users, profiles, roles: tables and look-ups. How one signs in is `accounts`; what one may do
is `access`.
"""
