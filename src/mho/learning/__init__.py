"""What a network does: memristive layers, write steps, update rules, tuning, evaluation."""
