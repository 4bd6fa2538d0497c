"""Log in, and start, refresh and end sessions of members."""
