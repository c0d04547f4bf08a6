"""How often verdicts about scores are wrong: a table for docs/quality_calibration.md."""
