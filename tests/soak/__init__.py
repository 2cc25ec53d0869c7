"""What takes long: kills by the hundred."""
