"""A slow twin of the best rule: every rule there is, or every branch of the tree of decisions, in plain Python."""

import itertools
import math
from collections.abc import Iterator
from typing import Any

import numpy as np

Cell = tuple[str, int]  # stage, stage age
Mode = tuple[str, int] | None  # policy in force, periods since its contact
State = tuple[Cell, Mode]


def value_at(values: Any, age: int) -> float:
    return float(values[min(age, len(values) - 1)] if isinstance(values, list) else values)


class Twin:
    """Stages and policies as raw mappings. Subscriptions, discounting by ``factor`` a period."""

    def __init__(self, raw: dict[str, Any], policies: dict[str, Any], factor: float) -> None:
        self.stages, self.start, self.policies, self.factor = raw["stages"], raw["start"], policies, factor
        self.oldest = raw.get("oldest", 0)

    def ways(self, cell: Cell, mode: Mode) -> list[tuple[float, float, Cell]]:
        """Return (chance, cash on the move, next cell) of all that may happen in a period."""
        stage, age = cell
        done = self.policies[mode[0]].get("effects", {}) if mode else {}
        strength = self.policies[mode[0]].get("decay", 1.0) ** mode[1] if mode else 0.0
        edges, named = self.stages[stage].get("to", {}), done.get("edges", {}).get(stage, {})
        chances = {}
        for name, edge in edges.items():
            if "probability" in edge:
                chance = value_at(edge["probability"], age)
                chance = value_at(named.get(name, {}).get("set", chance), age)
                chances[name] = min(max(chance + value_at(named.get(name, {}).get("add", 0.0), age), 0.0), 1.0)
        total = sum(chances.values())
        certain, weights = total > 1.0 - 1e-12, {}
        for name, edge in edges.items():
            if name in chances:
                h = chances[name] if certain else -math.log(1.0 - total) * chances[name] / total if total > 0 else 0.0
            else:
                h = 0.0 if certain else value_at(edge["hazard"], age)
            factor = value_at(named.get(name, {}).get("multiply", 1.0), age) * done.get("causes", {}).get(edge.get("cause"), 1.0)
            weights[name] = h * factor**strength
        both = sum(weights.values())
        leave = (1.0 if both > 0 else 0.0) if certain else 1.0 - math.exp(-both)
        found = [(1.0 - leave, 0.0, (stage, min(age + 1, self.oldest)))]
        for name, h in weights.items():
            if both > 0:
                found.append((leave * h / both, edges[name].get("cash", 0.0), (edges[name].get("target", name), 0)))
        return [one for one in found if one[0] > 0]

    def cash(self, cell: Cell, mode: Mode) -> float:
        """Return the cash of the stage held and what a member costs."""
        stage, age = self.stages[cell[0]], cell[1]
        lost = stage.get("kind") == "lost"
        price = value_at(stage.get("price", 0.0 if lost else 1.0), age)
        margin = value_at(stage.get("margin", 1.0), age)
        serve = value_at(stage.get("cost_to_serve", 0.0), age)
        found = price * margin - serve
        if mode:
            policy = self.policies[mode[0]]
            done, strength = policy.get("effects", {}), policy.get("decay", 1.0) ** mode[1]
            found += price * strength * (done.get("margin", 0.0) + done.get("price", 1.0) - 1.0)
            found += serve * (1.0 - done.get("cost_to_serve", 1.0) ** strength)
            found -= policy.get("cost", {}).get("per_member", 0.0)
        return found

    def options(self, state: State, tenure: int) -> list[str | None]:
        """Return what may be done."""
        (stage, age), mode = state
        found: list[str | None] = [None]
        for key, policy in self.policies.items():
            who = policy.get("who", {})
            seen = stage in who.get("stages", [one for one, entry in self.stages.items() if entry.get("kind") != "lost"])
            aged = who.get("age_from", 0) <= age < who.get("age_until", math.inf)
            now = who.get("tenure_from", 0) <= tenure < who.get("tenure_until", math.inf)
            if seen and aged and now and (mode is None or (mode[0] == key and "lasts" in policy)):
                found.append(key)
        return found

    def after(self, mode: Mode, cell: Cell) -> Mode:
        """Return what is in force in the next period, in which the customer stands at ``cell``: nothing that does not treat the lost."""
        if mode is None:
            return None
        if self.stages[cell[0]].get("kind") == "lost" and cell[0] not in self.policies[mode[0]].get("who", {}).get("stages", []):
            return None
        lasts = self.policies[mode[0]].get("lasts")
        if lasts is None and self.policies[mode[0]].get("decay", 1.0) == 1.0:
            return mode[0], 0
        return None if lasts is not None and mode[1] + 1 >= lasts else (mode[0], mode[1] + 1)

    def modes(self, mode: Mode, what: str | None) -> tuple[float, list[tuple[float, Mode]]]:
        """Return the mean cost of what is done, and the chances of what is then in force."""
        if what is None:
            return 0.0, [(1.0, mode)]
        policy = self.policies[what]
        uptake, cost = policy.get("uptake", 1.0), policy.get("cost", {})
        paid = cost.get("per_contact", 0.0) + uptake * cost.get("per_uptake", 0.0)
        return paid, [one for one in ((uptake, (what, 0)), (1.0 - uptake, mode)) if one[0] > 0]

    def best(self, horizon: int, tenure: int = 0, state: State | None = None) -> float:
        """Return the value of the best decisions, branch by branch."""
        if tenure == horizon:
            return 0.0
        cell, mode = state or ((self.start, 0), None)
        return max(
            sum(chance * self.lived(horizon, tenure, cell, held) for chance, held in held_by) - paid
            for paid, held_by in (self.modes(mode, what) for what in self.options((cell, mode), tenure))
        )

    def lived(self, horizon: int, tenure: int, cell: Cell, mode: Mode) -> float:
        found = self.cash(cell, mode)
        for chance, cash, to in self.ways(cell, mode):
            found += chance * self.factor * (cash + self.best(horizon, tenure + 1, (to, self.after(mode, to))))
        return found

    def under(self, rule: dict[tuple[int, State], str | None], horizon: int, tenure: int, state: State) -> float:
        """Return the value of a rule by tenure and state."""
        if tenure == horizon:
            return 0.0
        paid, held_by = self.modes(state[1], rule[tenure, state])
        found = -paid
        for likely, mode in held_by:
            found += likely * self.cash(state[0], mode)
            for chance, cash, to in self.ways(state[0], mode):
                found += likely * chance * self.factor * (cash + self.under(rule, horizon, tenure + 1, (to, self.after(mode, to))))
        return found

    def reached(self, horizon: int) -> list[tuple[int, State]]:
        """Return every state that some rule leads to, by tenure; for a horizon of -1 of all tenures together."""
        begin: State = ((self.start, 0), None)
        found, ahead = [(0, begin)], [(0, begin)]
        while ahead:
            tenure, state = ahead.pop()
            for what in self.options(state, tenure):
                for _, mode in self.modes(state[1], what)[1]:
                    for _, _, to in self.ways(state[0], mode):
                        further = (tenure + 1 if horizon > 0 else 0, (to, self.after(mode, to)))
                        if further not in found and further[0] != horizon:
                            found.append(further)
                            ahead.append(further)
        return found

    def rules(self, horizon: int) -> Iterator[dict[tuple[int, State], str | None]]:
        """Yield every rule."""
        points = self.reached(horizon)
        for chosen in itertools.product(*(self.options(state, tenure) for tenure, state in points)):
            yield dict(zip(points, chosen, strict=True))

    def endless(self, rule: dict[tuple[int, State], str | None]) -> float:
        """Return the value of a rule kept for ever, by a linear system."""
        states = [state for _, state in rule]
        place = {state: k for k, state in enumerate(states)}
        matrix, reward = np.eye(len(states)), np.zeros(len(states))
        for k, (cell, held) in enumerate(states):
            paid, held_by = self.modes(held, rule[0, (cell, held)])
            reward[k] -= paid
            for likely, mode in held_by:
                reward[k] += likely * self.cash(cell, mode)
                for chance, cash, to in self.ways(cell, mode):
                    reward[k] += likely * chance * self.factor * cash
                    matrix[k, place[to, self.after(mode, to)]] -= likely * chance * self.factor
        return float(np.linalg.solve(matrix, reward)[0])
