"""What samples came out as: kept as images, and the worst of them shown, old beside new."""
