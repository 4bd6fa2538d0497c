"""Documents: the requests and answers of the HTTP API, one module per topic."""
