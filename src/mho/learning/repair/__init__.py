"""What wins back what imperfect chips cost, without programming a cell."""
