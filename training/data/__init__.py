"""From labeled files to batches of token ids."""
