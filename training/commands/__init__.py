"""The commands of ``python -m training``, a file each: its options, and what it prints."""
