"""Server-rendered pages: Jinja templates, native forms, one small module for live regions."""
