"""What was captured at the door, stored beside the time it was received."""
