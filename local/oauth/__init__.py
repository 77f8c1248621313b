"""Stand-ins for Google and GitHub as providers of identity, with people to choose from and faults
to cause; the local server mounts them under /_local/oauth.
"""

from local.oauth.standin import FAULTS, PEOPLE, Person, StandIn, application

__all__ = ["FAULTS", "PEOPLE", "Person", "StandIn", "application"]
