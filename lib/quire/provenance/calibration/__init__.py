"""Calibration of stated confidence: scores with their parts, and recalibration."""
