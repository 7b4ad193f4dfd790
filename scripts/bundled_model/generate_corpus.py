"""Writes the training text: every document of it comes from the grammar and the lists beside this file.

usage: generate_corpus.py --out DIR [--docs 150000] [--seed 1]
The result is DIR/train.txt and DIR/valid.txt, documents separated by a line that holds <|endoftext|> alone. Nothing is copied from
anywhere, so the corpus and the model are free of other people's text. The validation documents come from another seed.
"""

import argparse
import os
import random

import chat_lines as c
import chat_turns as t
import words as w
from grammar import ALL_PLOTS, World, choose, made_up, tell

EOT = "<|endoftext|>"
PRODUCERS = [(t.story_turns, 46), (t.small_talk_turns, 15), (t.extraction_turns, 13), (t.school_turns, 12), (t.pasted_story_turns, 6),
             (t.fun_turns, 4), (t.unknown_turns, 6)]


def chat(turns, system=None):
    """ChatML, exactly as the model's own template writes it."""
    text = f"<|im_start|>system\n{system}<|im_end|>\n" if system else ""
    for user, assistant in turns:
        text += f"<|im_start|>user\n{user}<|im_end|>\n<|im_start|>assistant\n{assistant}<|im_end|>\n"
    return text


def named_persona(rng):
    """A system message that gives the assistant a name, and a user who asks for it."""
    name = rng.choice(w.GIRLS + w.BOYS + w.PET_NAMES) if rng.random() < 0.7 else made_up(rng)
    ask = rng.choice(["What is your name?", "Who are you?", "what is your name", "who are you"])
    return f"Your name is {name}." if rng.random() < 0.6 else f"You are {name}, a friendly assistant.", [(ask, f"My name is {name}.")]


def document(rng, long=False):
    """One training document; `long` strings many turns together to fill a long context."""
    pick = rng.random()
    if pick < 0.10 and not long:
        return tell(World(rng, rng.choice(ALL_PLOTS)), rng, once=rng.random() < 0.7)
    if pick < 0.13:
        return chat(sum((t.extraction_turns(rng, bare=True) for _ in range(rng.randint(1, 6 if long else 2))), []), rng.choice(c.SYSTEM_JSON))
    makers, weights = zip(*PRODUCERS)
    system, turns = rng.choice(c.SYSTEM) if rng.random() < 0.15 else None, []
    if pick < 0.15:
        system, turns = named_persona(rng)
    for _ in range(rng.randint(4, 12) if long else rng.choice((1, 1, 1, 1, 2, 2, 3))):
        turns = turns + rng.choices(makers, weights)[0](rng)
    return chat(turns, system)


def write(path, docs, seed, long_share):
    """Writes `docs` documents from `seed`."""
    rng = random.Random(seed)
    with open(path, "w", encoding="ascii") as f:
        for _ in range(docs):
            f.write(document(rng, rng.random() < long_share).rstrip("\n") + "\n" + EOT + "\n")


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--out", required=True)
    p.add_argument("--docs", type=int, default=150000)
    p.add_argument("--long", type=float, default=0.04, help="share of documents of many turns")
    p.add_argument("--seed", type=int, default=1)
    a = p.parse_args()
    os.makedirs(a.out, exist_ok=True)
    write(os.path.join(a.out, "train.txt"), a.docs, a.seed, a.long)
    write(os.path.join(a.out, "valid.txt"), max(200, a.docs // 100), a.seed + 1000, a.long)
    assert choose("[a|a]", random.Random(0)) == "a"


if __name__ == "__main__":
    main()
