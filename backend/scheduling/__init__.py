"""The bridge to the planning library: rows become problems, plans become rows, and quotes are asked in memory."""
