"""Schedule: the runs that EventBridge starts every minute and every hour."""
