"""Layers on arrays, and the digital ones that differ from chip to chip."""
