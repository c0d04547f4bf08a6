"""A session as a JSON file; the only room that knows its form."""
