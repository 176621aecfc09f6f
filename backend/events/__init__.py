"""What happened, told once: event types with their audience, the outbox they are written to and the feed they are read from."""
