"""The page: a session in one self-contained HTML file, its pictures drawn and its tables whole."""
