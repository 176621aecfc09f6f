"""An order from the promise to the proof: its states, seats, offers, assignments and every action on it."""
