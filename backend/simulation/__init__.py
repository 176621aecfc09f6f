"""Recorded days lived again through the public interface: importers, simulated people, a stepped clock and a report."""
