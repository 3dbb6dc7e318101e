"""The page: the views of the lake over HTTP, for a browser, for other programs and for Prometheus. It only reads."""
