"""Reports of compliance: facts that the platform can show, for one organization or for all."""
