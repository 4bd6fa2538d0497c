"""Single sign-on: connections, log-ins, and e-mail domains of an organization."""
