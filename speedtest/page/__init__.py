"""The page: the lake shown over HTTP, for browsers, for other programs and for Prometheus. It only reads."""
