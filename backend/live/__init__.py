"""Websockets: who listens to what, and getting each event to all of them without waiting for any."""
