"""Schedule: what EventBridge starts every minute and every hour."""
