"""Deploy to AWS: check the parameters, print what is made and what it costs, then run ``sam deploy``."""
