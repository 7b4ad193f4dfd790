"""Trains the bundled model on the generated corpus, on the CPU, from nothing.

usage: train.py --data DIR --run DIR [--minutes 60 --decay 15] [--resume CKPT] [--threads 1]
The learning rate warms up, stays constant, and falls to zero over the last `--decay` minutes, so that a usable model can be had early:
resume any checkpoint of the constant part with a few `--minutes`, all of them decay, and its own `--run`. The budget is time and not
steps because a shared machine does not say how fast it will be. Each run appends to RUN/loss.csv.
User and system text counts a fifth of assistant text in the loss (the model reads it and need not be able to write it), and in training
the opening of an assistant message counts three times; the validation loss does without the latter.
"""

import argparse
import csv
import os
import time

import numpy as np
import torch

from bpe import Tokenizer
from model import Llama, Muon

HERE = os.path.dirname(os.path.abspath(__file__))


def tokenize(tok, path):
    """(ids, loss weights, start of every document) of a corpus file, kept beside it for the next run."""
    cache = path + ".npz"
    if os.path.exists(cache) and os.path.getmtime(cache) > os.path.getmtime(path):
        z = np.load(cache)
        return z["ids"], z["weights"], z["starts"]
    end = tok.ids["<|endoftext|>"]
    ids, weights, starts = [], [], []
    with open(path, encoding="ascii") as f:
        for doc in f.read().split("\n<|endoftext|>\n")[:-1]:
            starts.append(starts[-1] + len(ids[-1]) if starts else 0)
            chat = doc.startswith("<|im_start|>")
            one = tok.encode(doc + "\n" if chat else doc) + [end]
            ids.append(np.array(one, np.uint16))
            weights.append(chat_weights(tok, one) if chat else np.ones(len(one), np.float16))
    ids, weights, starts = np.concatenate(ids), np.concatenate(weights), np.array(starts, np.int64)
    np.savez(cache, ids=ids, weights=weights, starts=starts)
    return ids, weights, starts


def chat_weights(tok, ids):
    """1 for what the assistant writes (with its end mark), 0.2 for the rest."""
    start, stop = tok.ids["<|im_start|>"], tok.ids["<|im_end|>"]
    assistant = tok.encode("assistant\n")
    out, speaking = np.full(len(ids), 0.2, np.float16), False
    for i, t in enumerate(ids):
        if speaking:
            out[i] = 1
        if t == start:
            speaking, at = False, i
        elif t == stop:
            speaking = False
        elif ids[i - len(assistant):i + 1] == [start] + assistant and i - len(assistant) == at:
            speaking = True
    return out


def weigh_openings(weights, count=32, factor=3):
    """The first tokens of every assistant message count more: there it answers the request, or copies what it was asked to.

    Without this the loss is mostly the middle of stories, and short answers and the choice of the hero are learned last.
    """
    speaks = weights == 1
    begins = np.flatnonzero(speaks & ~np.roll(speaks, 1))
    out = weights.copy()
    for k in range(count):
        at = begins[begins + k < len(out)] + k
        begins = begins[:len(at)][speaks[at]]
        out[begins + k] = factor
    return out


class Batches:
    """Rows that begin at a document and go on with further documents until they are full; the rest of the last one is dropped."""

    def __init__(self, data, seed):
        self.ids, self.weights, starts = data
        self.spans = list(zip(starts, list(starts[1:]) + [len(self.ids)]))
        self.rng = np.random.default_rng(seed)
        self.order = []

    def rows(self, count, length):
        ids, weights = np.zeros((count, length + 1), np.int64), np.zeros((count, length + 1), np.float32)
        for r in range(count):
            n = 0
            while n <= length:
                if not self.order:
                    self.order = list(self.rng.permutation(len(self.spans)))
                a, b = self.spans[self.order.pop()]
                m = min(b - a, length + 1 - n)
                ids[r, n:n + m], weights[r, n:n + m] = self.ids[a:a + m], self.weights[a:a + m]
                n += m
        t = torch.from_numpy
        return t(ids[:, :-1].copy()), t(ids[:, 1:].copy()), t(weights[:, 1:].copy())


def parse():
    p = argparse.ArgumentParser()
    p.add_argument("--data", required=True)
    p.add_argument("--run", required=True)
    p.add_argument("--minutes", type=float, default=60)
    p.add_argument("--decay", type=float, default=15, help="minutes of falling learning rate at the end")
    p.add_argument("--warmup", type=int, default=20, help="steps")
    p.add_argument("--tokens", type=int, default=4096, help="tokens per step")
    p.add_argument("--threads", type=int, default=1)
    p.add_argument("--resume")
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--save-every", type=int, default=100)
    p.add_argument("--eager", action="store_true", help="do not compile (slower; for a machine without a C++ compiler)")
    return p.parse_args()


def save(path, model, opts, progress):
    """Writes beside the target first, so that a reader never sees half a checkpoint."""
    torch.save(dict(model=model.state_dict(), opts=[o.state_dict() for o in opts], **progress), path + ".part")
    os.replace(path + ".part", path)


def set_rates(opts, base, scale):
    """Every learning rate at `scale` of its base."""
    for o, lrs in zip(opts, base):
        for g, lr in zip(o.param_groups, lrs):
            g["lr"] = lr * scale


@torch.no_grad()
def report(log, row, model, valid):
    """One line of the log: step, tokens, seconds, training loss, and the validation loss where `valid` is given."""
    if valid is not None:
        with torch.autocast("cpu", torch.bfloat16):
            losses = [model.loss(*(x[i:i + 16] for x in valid)).item() for i in range(0, 32, 16)]
        row.append(round(float(np.mean(losses)), 4))
    csv.writer(log).writerow(row)
    log.flush()
    print(*row, flush=True)


def main():
    a = parse()
    torch.set_num_threads(a.threads)
    torch.manual_seed(a.seed)
    os.makedirs(a.run, exist_ok=True)
    tok = Tokenizer.load(os.path.join(HERE, "tokenizer.json"))
    valid = Batches(tokenize(tok, os.path.join(a.data, "valid.txt")), 0).rows(32, 512)
    ids, weights, starts = tokenize(tok, os.path.join(a.data, "train.txt"))
    train = Batches((ids, weigh_openings(weights), starts), a.seed)
    model = Llama()
    matrices = [p for p in model.blocks.parameters() if p.ndim == 2]
    norms = [p for p in model.parameters() if p.ndim == 1]
    opts = [Muon(matrices, lr=0.02), torch.optim.AdamW([dict(params=[model.embed], lr=4e-3), dict(params=norms, lr=4e-3)], betas=(0.9, 0.95), weight_decay=0.0)]
    base = [[g["lr"] for g in o.param_groups] for o in opts]
    step, tokens, before = 0, 0, 0.0
    if a.resume:
        ck = torch.load(a.resume)
        model.load_state_dict(ck["model"])
        for o, s in zip(opts, ck["opts"]):
            o.load_state_dict(s)
        step, tokens, before = ck["step"], ck["tokens"], ck["seconds"]
        train.rng = np.random.default_rng(a.seed + step)
    print(sum(p.numel() for p in model.parameters()), "parameters,", len(train.ids), "training tokens,", len(train.spans), "documents", flush=True)
    if not a.eager:
        model.compile_parts()
    started, rng, recent, done = time.time(), np.random.default_rng(a.seed + step), [], False
    log = open(os.path.join(a.run, "loss.csv"), "a", newline="")
    while not done:
        left = a.minutes - (time.time() - started) / 60
        set_rates(opts, base, max(0.0, min(1.0, (step + 1) / a.warmup, left / a.decay)))
        length = 1024 if rng.random() < 0.15 else 512
        with torch.autocast("cpu", torch.bfloat16):
            loss = model.loss(*train.rows(a.tokens // length, length))
        loss.backward()
        for o in opts:
            o.step()
            o.zero_grad(set_to_none=True)
        step, tokens, done = step + 1, tokens + a.tokens, left <= 0
        recent.append(loss.item())
        seconds = before + time.time() - started
        if step % 25 == 0 or done:
            report(log, [step, tokens, round(seconds), round(float(np.mean(recent)), 4)], model, valid if step % 100 == 0 or done else None)
            recent = []
        if step % a.save_every == 0 or done:
            save(os.path.join(a.run, "last.pt"), model, opts, dict(step=step, tokens=tokens, seconds=seconds))


if __name__ == "__main__":
    main()
