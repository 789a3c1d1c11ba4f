"""Many texts: the core that answers them in groups, and scoring of whole files."""
