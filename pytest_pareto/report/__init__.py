"""Reports: judged sessions rendered as text, pages and files."""
