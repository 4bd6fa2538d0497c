"""People: members, their roles, and the tokens that mails give them."""
