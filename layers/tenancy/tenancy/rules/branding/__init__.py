"""The branding of an organization: colors, CSS variables, images and the sender of mails."""
