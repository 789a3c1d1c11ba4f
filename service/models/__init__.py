"""The models that are served: which ones, loaded, exchanged under load."""
