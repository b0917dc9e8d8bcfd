"""What is minimized: a network, rows, a penalty and constraints."""
