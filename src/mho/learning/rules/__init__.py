"""Update rules: what a synapse makes of the movement that the optimizer proposes."""
