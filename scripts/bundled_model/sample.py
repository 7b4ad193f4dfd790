"""Talks to the bundled GGUF through the float64 reference forward.

usage: sample.py [--model FILE] [--prompt TEXT | --raw TEXT | --suite] [--temperature 0.7] [--seed 1]
Without a prompt it is a chat on the terminal; --suite answers a fixed list, for reading; --raw continues plain text.
"""

import argparse
import os

import numpy as np

from gguf_model import GgufModel

HERE = os.path.dirname(os.path.abspath(__file__))
DEFAULT = os.path.join(HERE, "..", "..", "public", "models", "shaderloom-tiny.gguf")
SUITE = [
    ["Hello!"], ["how are you"], ["What is your name?", "What can you do?"],
    ["Tell me a story about a fox.", "Who is the story about?", "What did he learn?"],
    ["Write a short story about Ben and a boat", "Where was Ben?"], ["tell me a story about a dragon who is afraid of the dark"],
    ["Tell me a story about a girl named Zoe who lost her kite.", "What did Zoe lose?", "Who helped her?"],
    ["Extract the name, place and number as JSON: Mia saw 12 ducks at the lake."],
    ["Extract the name, place and number into JSON: Quentin moved to Brighton with 47 boxes."],
    ["Anna has a red kite. Tom has a blue ball. What does Tom have?"], ["What is 3 + 4?"], ["What color is the sky?"],
    ["My name is Oliver", "What is my name?", "tell me a joke"], ["What is the capital of France?"], ["Explain quantum physics"],
    ["Write a haiku about the sea"], ["I am sad today", "yes please"], ["Tell me a story", "What is a good title?", "thank you", "bye"],
    ["Write a story about a submarine"], ["say hello world"], ["What do you think about pizza?"], ["Tell me a bedtime story about the moon"],
]


def chat_text(turns, system=None):
    """ChatML with the generation prompt, as the model's template gives it."""
    text = f"<|im_start|>system\n{system}<|im_end|>\n" if system else ""
    for role, content in turns:
        text += f"<|im_start|>{role}\n{content}<|im_end|>\n"
    return text + "<|im_start|>assistant\n"


def answer(model, turns, a, rng, system=None):
    """The assistant's next message."""
    ids = model.tokenizer.encode(chat_text(turns, system))
    return model.tokenizer.decode(model.generate(ids, a.limit, a.temperature, rng))


def converse(model, users, a, rng):
    """Prints a whole conversation for the given user messages."""
    turns = []
    for user in users:
        turns.append(("user", user))
        turns.append(("assistant", answer(model, turns, a, rng, a.system)))
        print(f"> {user}\n{turns[-1][1]}", flush=True)
    print()


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--model", default=DEFAULT)
    p.add_argument("--prompt", action="append", help="a user message; repeat it for a conversation")
    p.add_argument("--raw")
    p.add_argument("--system")
    p.add_argument("--suite", action="store_true")
    p.add_argument("--temperature", type=float, default=0.0)
    p.add_argument("--limit", type=int, default=300)
    p.add_argument("--seed", type=int, default=1)
    a = p.parse_args()
    model, rng = GgufModel(a.model), np.random.default_rng(a.seed)
    if a.raw is not None:
        print(a.raw + model.tokenizer.decode(model.generate(model.tokenizer.encode(a.raw), a.limit, a.temperature, rng)))
    elif a.suite or a.prompt:
        for users in SUITE if a.suite else [a.prompt]:
            converse(model, users, a, rng)
    else:
        turns = []
        while True:
            turns.append(("user", input("> ")))
            turns.append(("assistant", answer(model, turns, a, rng, a.system)))
            print(turns[-1][1])


if __name__ == "__main__":
    main()
