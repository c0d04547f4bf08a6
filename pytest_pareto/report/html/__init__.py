"""The HTML report: a session as one self-contained page, with plots of fronts and tables."""
