"""service_start where it must not act; what it does to a real unit is tests/machine/units.py."""
import refused_units


def checks(agentd):
    yield from refused_units.checks(agentd, "start")
