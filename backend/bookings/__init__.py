"""What a resident asks for: quotes taken up, held, confirmed and given back."""
