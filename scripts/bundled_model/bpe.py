"""Byte-level BPE in the manner of GPT-2: the encoder and decoder shared by every script here.

The pre-tokenizer is GPT-2's regular expression with `\\p{L}` and `\\p{N}` written out as ASCII letters and digits: the corpus is
ASCII, where the two are the same. (Python's `re` has no `\\p`.) Any other byte falls into the "anything else" class here, which
may split non-ASCII text otherwise than a full implementation does; the training text has none.
"""

import json
import re

PIECE = re.compile(r"'s|'t|'re|'ve|'m|'ll|'d| ?[A-Za-z]+| ?[0-9]+| ?[^\sA-Za-z0-9]+|\s+(?!\S)|\s+")
SPECIALS = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]


def byte_alphabet():
    """GPT-2's map from a byte to the printable character that stands for it in the token strings."""
    keep = list(range(33, 127)) + list(range(161, 173)) + list(range(174, 256))
    table, extra = {}, 0
    for b in range(256):
        if b in keep:
            table[b] = chr(b)
        else:
            table[b] = chr(256 + extra)
            extra += 1
    return table


class Tokenizer:
    """Encodes with merges in order of rank; special tokens are recognised in the text."""

    def __init__(self, merges):
        self.bytes = byte_alphabet()
        self.unbytes = {c: b for b, c in self.bytes.items()}
        self.merges = [tuple(m) for m in merges]
        self.tokens = [self.bytes[b] for b in range(256)] + [a + b for a, b in self.merges] + SPECIALS
        self.ids = {t: i for i, t in enumerate(self.tokens)}
        self.rank = {m: i for i, m in enumerate(self.merges)}
        self.cache = {}
        self.special = re.compile("(" + "|".join(map(re.escape, SPECIALS)) + ")")

    @classmethod
    def load(cls, path):
        """Reads the merges that train_bpe.py wrote."""
        with open(path, encoding="utf-8") as f:
            return cls([m.split(" ") for m in json.load(f)["merges"]])

    def _word(self, piece):
        if piece in self.cache:
            return self.cache[piece]
        parts = [self.bytes[b] for b in piece.encode("utf-8")]
        while len(parts) > 1:
            pairs = [(self.rank.get(p, 1 << 30), i) for i, p in enumerate(zip(parts, parts[1:]))]
            rank, _ = min(pairs)
            if rank == 1 << 30:
                break
            a, b = self.merges[rank]
            out, i = [], 0
            while i < len(parts):
                if i + 1 < len(parts) and parts[i] == a and parts[i + 1] == b:
                    out.append(a + b)
                    i += 2
                else:
                    out.append(parts[i])
                    i += 1
            parts = out
        ids = [self.ids[p] for p in parts]
        self.cache[piece] = ids
        return ids

    def encode(self, text):
        """Token ids of the text."""
        ids = []
        for part in self.special.split(text):
            if part in SPECIALS:
                ids.append(self.ids[part])
            else:
                for piece in PIECE.findall(part):
                    ids += self._word(piece)
        return ids

    def decode(self, ids):
        """Text of the ids; special tokens come out as their own strings."""
        out = bytearray()
        for i in ids:
            t = self.tokens[i]
            out += t.encode() if t in SPECIALS else bytes(self.unbytes[c] for c in t)
        return out.decode("utf-8", errors="replace")
