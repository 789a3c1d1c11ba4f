"""Everything a client sees: one model bundle behind HTTP, with a page that shows what every word adds."""
