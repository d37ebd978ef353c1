"""Fits of pulse trains: how far each pulse moves a cell."""
