"""An invented city that lives in fast motion: seeded once, then booked, carried out and watched through the public interface."""
