"""A fitted network: what it predicts, what is known of it, and its file."""
