"""Real web UIs of upstream systems behind the portal: what is let in, as whom, and what comes back."""
