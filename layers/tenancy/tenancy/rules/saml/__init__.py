"""SAML 2.0: the metadata of a provider, the request to it, and its signed answer."""
