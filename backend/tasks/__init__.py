"""Tasks of the desk about the platform itself: nobody's order brings them about, and a person has to see to them."""
