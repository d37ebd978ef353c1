"""Measured files as columns of numbers in SI units."""
