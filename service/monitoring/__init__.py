"""What operators see of the service: metrics, the access log, and the processes it consists of."""
