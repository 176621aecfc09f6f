"""Every long-running thing is one file here."""
