"""The lecture's claims, measured: one experiment a claim, and the report that shows them."""
