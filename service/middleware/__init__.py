"""ASGI layers around every request: limits, API keys, error envelope, tracing."""
