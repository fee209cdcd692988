"""What a user does: simulate, write down, verify; later to compare, sweep and optimise."""
