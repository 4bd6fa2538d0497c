"""The only package that knows API Gateway: requests, answers, problems and the policy."""
