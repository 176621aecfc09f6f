"""What every room may use: the clock, ids of who asks, and the ways a request is refused."""
