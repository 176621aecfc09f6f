"""Who may come in: accounts, sign-in, sessions, tickets for the live feed, and writes that are safe to repeat."""
