"""A checkpoint as a service: REST, WebSocket, metrics."""
