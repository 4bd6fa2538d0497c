"""Single sign-on: the e-mail domains of an organization."""
