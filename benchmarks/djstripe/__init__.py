"""dj-stripe beside us: its environment, and the program that runs in it."""
