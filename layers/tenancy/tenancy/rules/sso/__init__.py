"""Single sign-on with an OpenID Connect provider: its connection, a log-in, and the ID token that ends it."""
