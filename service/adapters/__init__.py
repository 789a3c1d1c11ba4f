"""Forms of other servers' APIs over the same model, so that their clients need no change. Off by default."""
