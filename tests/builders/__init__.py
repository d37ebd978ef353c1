"""What tests of several files build: cells, networks, chips, files and runs, small and alike."""
