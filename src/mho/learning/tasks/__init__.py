"""What a network that learns task after task keeps beside its arrays."""
