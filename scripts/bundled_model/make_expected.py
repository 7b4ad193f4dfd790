"""Writes expected.json: what the float64 reference says about the bundled GGUF, for the TypeScript engine's tests.

usage: make_expected.py [--check CHECKPOINT]
Run it whenever the GGUF changes. Each case has the prompt's ids, the top 8 logits at its last position, 24 greedy ids, and the
smallest gap between the best and the second-best logit along the way (a test may demand the same ids where its own error is well
below that gap). The first case has all logits. --check also compares with the unquantized PyTorch checkpoint.
"""

import argparse
import json
import os

import numpy as np

from gguf_model import GgufModel
from sample import DEFAULT, HERE, chat_text

CASES = [chat_text([("user", "What can you do?")]), "Once upon a time, there was a little girl named",
         chat_text([("user", "Extract the name, place and number as JSON: Mia saw 12 ducks at the lake.")])]


def case(model, text, full):
    """One entry of the file."""
    ids = model.tokenizer.encode(text)
    assert model.tokenizer.decode(ids) == text
    model.reset()
    logits = first = model.logits(ids)
    greedy, margin = [], np.inf
    for _ in range(24):
        top = np.sort(logits)[-2:]
        margin = min(margin, top[1] - top[0])
        greedy.append(int(logits.argmax()))
        logits = model.logits(greedy[-1:])
    order = np.argsort(-first)[:8]
    out = dict(text=text, prompt=ids, top=[[int(i), float(f"{first[i]:.7g}")] for i in order])
    if full:
        out["logits"] = [float(f"{v:.7g}") for v in first]
    return out | dict(greedy=greedy, minTop1Margin=float(f"{margin:.6g}"))


def check(path, cases):
    """Largest logit difference from the checkpoint, and how many greedy ids agree."""
    import torch

    from model import Llama
    model = Llama()
    model.load_state_dict({k.replace("._orig_mod", ""): v for k, v in torch.load(path)["model"].items()})
    for c in cases:
        with torch.no_grad():
            logits = model(torch.tensor([c["prompt"] + c["greedy"][:-1]]))[0]
        n = len(c["prompt"])
        same = sum(int(a) == b for a, b in zip(logits[n - 1:].argmax(-1), c["greedy"]))
        off = max(abs(float(logits[n - 1, i]) - v) for i, v in c["top"])
        print(f"checkpoint against GGUF: top-8 logits within {off:.3f}, {same} of {len(c['greedy'])} greedy ids the same")


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--model", default=DEFAULT)
    p.add_argument("--check")
    a = p.parse_args()
    model = GgufModel(a.model)
    cases = [case(model, text, i == 0) for i, text in enumerate(CASES)]
    with open(os.path.join(HERE, "expected.json"), "w", encoding="utf-8") as f:
        f.write('{"cases":[\n' + ",\n".join(json.dumps(c) for c in cases) + "\n]}\n")
    print([c["minTop1Margin"] for c in cases])
    if a.check:
        check(a.check, cases)


if __name__ == "__main__":
    main()
