"""The stack in the portal: its components on Home, a page for them, and its life beside the demo's."""
