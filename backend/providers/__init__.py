"""The institutions that send workers."""
