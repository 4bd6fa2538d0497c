"""Deploy to AWS: check the parameters, print the resources and their costs, then run ``sam deploy``."""
