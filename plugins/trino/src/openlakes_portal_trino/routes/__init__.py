"""The plugin's routes, one subject a file. Handlers know the portal's requests; the services behind them do not."""
