"""The people who care: skills, shifts, leave."""
