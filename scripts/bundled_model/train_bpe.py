"""Trains the 2,048-entry byte-level BPE on the corpus and writes its merges.

usage: train_bpe.py --corpus DIR/train.txt --out tokenizer.json [--vocab 2048] [--bytes 30000000]
Digits are never merged with digits, so that every number is spelled digit by digit: copying a number into JSON is then the same
task for every number, which a model this small can learn.
"""

import argparse
import collections
import json
import string

from bpe import PIECE, SPECIALS, Tokenizer, byte_alphabet


def count_words(path, limit):
    """How often each pre-tokenizer piece occurs in the first `limit` bytes."""
    with open(path, encoding="ascii") as f:
        text = f.read(limit)
    for s in SPECIALS:
        text = text.replace(s, "")
    return collections.Counter(PIECE.findall(text))


def merge_word(parts, pair):
    """`parts` with every occurrence of `pair` joined."""
    out, i = [], 0
    while i < len(parts):
        if i + 1 < len(parts) and (parts[i], parts[i + 1]) == pair:
            out.append(parts[i] + parts[i + 1])
            i += 2
        else:
            out.append(parts[i])
            i += 1
    return out


def learn(counts, merges_wanted):
    """The merges, best first. Pair counts are kept up to date word by word; ties go to the smaller pair, so runs agree."""
    table = byte_alphabet()
    words = [([table[b] for b in w.encode()], n) for w, n in counts.items()]
    pairs, where = collections.Counter(), collections.defaultdict(set)
    for i, (parts, n) in enumerate(words):
        for p in zip(parts, parts[1:]):
            pairs[p] += n
            where[p].add(i)
    merges = []
    while len(merges) < merges_wanted:
        best = max((p for p in pairs if not (p[0][-1] in string.digits and p[1][0] in string.digits)), key=lambda p: (pairs[p], p))
        merges.append(best)
        for i in list(where[best]):
            parts, n = words[i]
            for p in zip(parts, parts[1:]):
                pairs[p] -= n
                if pairs[p] <= 0:
                    del pairs[p]
                where[p].discard(i)
            parts = merge_word(parts, best)
            words[i] = (parts, n)
            for p in zip(parts, parts[1:]):
                pairs[p] += n
                where[p].add(i)
    return merges


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--corpus", required=True)
    p.add_argument("--out", required=True)
    p.add_argument("--vocab", type=int, default=2048)
    p.add_argument("--bytes", type=int, default=30_000_000)
    a = p.parse_args()
    merges = learn(count_words(a.corpus, a.bytes), a.vocab - 256 - len(SPECIALS))
    with open(a.out, "w", encoding="utf-8") as f:
        json.dump({"merges": [x + " " + y for x, y in merges]}, f, ensure_ascii=False, indent=0)
        f.write("\n")
    tok = Tokenizer(merges)
    with open(a.corpus, encoding="ascii") as f:
        sample = f.read(2_000_000) + string.printable + "\u00e9\u4f60 1234567890 {\"a\": [1, 2]}"
    ids = tok.encode(sample)
    assert tok.decode(ids) == sample, "the tokenizer does not give its text back"
    print(f"{len(tok.tokens)} tokens, {len(sample) / len(ids):.2f} characters per token")


if __name__ == "__main__":
    main()
