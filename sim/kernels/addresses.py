"""Where draws lie: the purposes of a customer's blocks, in word 3 of the counter beside the period."""

BLOCK_MOVES, BLOCK_ORDERS, BLOCK_MIND, BLOCK_TALK, BLOCK_PRODUCTS = 0, 1, 2, 3, 4
"""Purposes of a customer's blocks: leave and edge; number of orders and amount; drift and failure; number of recruits and of contacts;
products. Moves and products take one word a period: a block serves four periods in a row, its number is a quarter of the period's. The
others take two: a block serves an even period and the next, its number is half the period's.
"""

BLOCK_LAST = 5
"""Purpose of a customer's block for the time of the last order of a period, drawn where that is kept and somebody ordered."""

TRAIT_PERIOD = 65_535
BLOCK_TRAITS, BLOCK_GIFTS, BLOCK_ALIVE, BLOCK_CREDIT = 0, 1, 5, 6
"""Purposes of a customer's trait blocks: wallet, rate, frailty, spare; influence, knowledge, first satisfaction, who has knowledge;
who of the existing customers is still there; credit, of those followed."""

RECRUIT_PURPOSE = 0x3FFE
"""Purpose at which a recruit's identity is drawn, from its parent's, the tenure and, in place of the replicate, its number."""

MARKET_PURPOSE = 0x3FFF
"""Purpose at which regimes are drawn, by calendar period, with no customer's identity."""

POLICY_PURPOSES = 0x8000
"""Policies draw at POLICY_PURPOSES + a 15-bit hash of their id (a clash is refused): in a block of its own each period of contact, and in
``TRAIT_PERIOD`` the strength of the effect and who is in a pilot."""

BETA_PURPOSES = 0x4000
"""Beta edges draw at BETA_PURPOSES + a 14-bit hash of ``stage.edge`` (a clash is refused)."""
