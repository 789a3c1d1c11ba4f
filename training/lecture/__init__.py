"""The lecture's claims, measured: one experiment per claim, and the report."""
