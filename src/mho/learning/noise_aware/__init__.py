"""Training with the noise of chips in mind, in plain torch; docs/noise-aware.md."""
