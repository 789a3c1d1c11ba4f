"""Makes the model that ships with the project from the public data sets it was made from."""
