"""What Lightning does beside the training loop."""
