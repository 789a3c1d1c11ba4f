"""What the service needs of the web server: its HTTP protocol and its shutdown."""
