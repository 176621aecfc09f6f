"""The schema's history: one revision after another, SQL by hand."""
