"""People: invite, list, change and remove members, and reset their passwords."""
