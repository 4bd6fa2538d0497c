"""URLs and DNS names of tenants: fetch and resolve them, without any right in AWS."""
