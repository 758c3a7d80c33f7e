"""The attacks of tests/attack.py, by name: each is attack(random, note) -> "done" or "refused".

`random` is the dice; `note` is told what is about to happen, so that a crash can be told from its last words.
An attack raises whatever else than a refusal comes of it, and `Found` where a call succeeds wrongly.
"""

import os

from attacks.files import attack_files, attack_pickles
from attacks.fleets import attack_fleets
from attacks.functions import attack_csr, attack_functions
from attacks.kills import attack_ends, attack_interrupts, attack_saves
from attacks.models import attack_course, attack_estimators, attack_network
from attacks.tables import attack_tables

ATTACKS = {
    "functions": attack_functions,
    "csr": attack_csr,
    "network": attack_network,
    "fleets": attack_fleets,
    "estimators": attack_estimators,
    "tables": attack_tables,
    "course": attack_course,
    "files": attack_files,
    "pickles": attack_pickles,
    "saves": attack_saves,
    "interrupts": attack_interrupts,
    "ends": attack_ends,
}
if not hasattr(os, "fork"):
    for name in ("saves", "interrupts", "ends"):
        del ATTACKS[name]
