"""Alarms: raised by whoever presses the button or rings, seen to by the desk."""
