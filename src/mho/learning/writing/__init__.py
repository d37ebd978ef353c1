"""When and where weights are written while a network learns in place."""
