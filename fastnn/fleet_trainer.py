"""One trainer for all members of a fleet, in whichever way suits their shape."""

from __future__ import annotations

from fastnn.checks import Array
from fastnn.fleet_lanes import LanesTrainer
from fastnn.fleet_members import MembersTrainer
from fastnn.fleet_plan import LANES, FleetPlan

FleetTrainer = LanesTrainer | MembersTrainer


def fleet_trainer(plan: FleetPlan, params: Array) -> FleetTrainer:
    """A trainer at its first step; params (n_members, n_params): see `LanesTrainer`."""
    return (LanesTrainer if plan.arrangement == LANES else MembersTrainer)(plan, params)
