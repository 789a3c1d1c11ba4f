"""What is told of a text beside its sentiment: its sentences and its language."""
