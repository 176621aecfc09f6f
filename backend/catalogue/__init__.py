"""What can be booked: items with their crews and prices."""
