"""JSON result files: their schema, reader and writer. No other package knows their format."""
