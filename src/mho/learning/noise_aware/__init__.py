"""Training with the noise of chips in mind, in plain torch.

docs/noise-aware.md in the source distribution is its page.
"""
