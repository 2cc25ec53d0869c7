"""The audit log: intent before the effect, outcome after it; a mutation that cannot be recorded is refused."""
