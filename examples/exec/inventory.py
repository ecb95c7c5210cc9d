#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""A replicated inventory: how much of each thing there is.

    vstamp-replica --config FILE --index N --app-exec ./inventory.py

Operations are lines of text, and so are their answers:

    add bolts 100      how many there are then
    take bolts 30      how many are left; "too few: 12" if there are not so many
    draw               takes one thing that is there, at random: which
    read: count bolts  how many there are
    read: list         all that there is, a line each

The protocol is vstamp-app-exec(5).  All of it is in serve(); the rest is the inventory.
"""
import json
import random
import sys


class Inventory:
    def __init__(self):
        self.stock = {}

    def apply(self, operation, seed):
        """What is no function of the state, the operation and the seed must not get in here."""
        match operation.split():
            case ["add", thing, n] if n.isdigit():
                self.stock[thing] = self.stock.get(thing, 0) + int(n)
            case ["take", thing, n] if n.isdigit():
                there = self.stock.get(thing, 0)
                if there < int(n):
                    return f"too few: {there}"
                self.stock[thing] = there - int(n)
            case ["draw"]:
                things = sorted(thing for thing, n in self.stock.items() if n > 0)
                if not things:
                    return "nothing left"
                thing = random.Random(seed).choice(things)
                self.stock[thing] -= 1
                return thing
            case _:
                return f"not understood: {operation}"
        return str(self.stock[thing])

    def query(self, operation):
        match operation.split():
            case ["count", thing]:
                return str(self.stock.get(thing, 0))
            case ["list"]:
                return "\n".join(f"{thing} {n}" for thing, n in sorted(self.stock.items()))
        return f"not understood: {operation}"

    def save(self):
        return json.dumps(self.stock, sort_keys=True)  # equal states are equal bytes

    def load(self, state):
        self.stock = json.loads(state)


def serve(app, name):
    requests, answers = sys.stdin.buffer, sys.stdout.buffer

    def body(size):
        data = requests.read(int(size) + 1)
        return data[:-1].decode("utf-8", "surrogateescape")

    def answer(word, number, text):
        data = text.encode("utf-8", "surrogateescape")
        answers.write(b"%s %s %d\n%s\n" % (word, number, len(data), data))

    for line in requests:
        match line.split():
            case [b"hello", *limits]:
                answers.write(b"hello 1 %s\n" % name)
            case [b"load", number, size]:
                app.load(body(size))
                answers.write(b"loaded %s\n" % number)
            case [b"apply", number, op, timestamp, client, session, seed, size]:
                answer(b"answer", number, app.apply(body(size), seed))
            case [b"query", number, size]:
                answer(b"answer", number, app.query(body(size)))
            case [b"save", number]:
                answer(b"state", number, app.save())
        answers.flush()


serve(Inventory(), b"inventory")
