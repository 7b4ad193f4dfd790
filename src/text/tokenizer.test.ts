// Text to ids and back on vocabularies made here: both kinds of GGUF vocabulary, control and user-defined tokens, odd text.
import { describe, expect, test, vi } from "vitest";
import type { ShaderloomError } from "../base/errors.ts";
import type { MetaValue } from "../base/metadata.ts";
import { seededRng } from "../base/rng.ts";
import { errorCode, typedError } from "../testing/typed_error.ts";
import { bpeControls, bpeVocabulary, spmVocabulary, spmWords } from "../testing/vocabularies.ts";
import { tokenizerFromGguf } from "./tokenizer.ts";
import type { Tokenizer } from "./tokenizer.ts";

type Entries = Readonly<Record<string, MetaValue | undefined>>;
const bpe = (entries?: Entries): Promise<Tokenizer> => tokenizerFromGguf(bpeVocabulary({ entries }));
const spm = (entries?: Entries): Promise<Tokenizer> => tokenizerFromGguf(spmVocabulary({ entries }));
const texts = (tokenizer: Tokenizer, ids: readonly number[]): string[] => ids.map((id) => tokenizer.tokenText(id));

function abort(): never {
  throw new WebAssembly.RuntimeError("Aborted()");
}

describe("byte-level BPE", () => {
  test("merges by rank inside of the pieces that the pre-tokenizer leaves", async () => {
    const tokenizer = await bpe();
    expect(texts(tokenizer, tokenizer.encode("hello world"))).toEqual(["hello", "\u0120world"]);
    expect(texts(tokenizer, tokenizer.encode("helloworld"))).toEqual(["hello", "w", "or", "l", "d"]);
    expect(tokenizer.decode(tokenizer.encode("hello world"))).toBe("hello world");
  });

  test("finds control tokens in trusted text only, and user-defined ones everywhere", async () => {
    const tokenizer = await bpe();
    const text = "hello<|im_end|><tool> world";
    expect(texts(tokenizer, tokenizer.encodeWithSpecials(text))).toEqual(["hello", "<|im_end|>", "<tool>", "\u0120world"]);
    const plain = tokenizer.encode(text);
    expect(plain.filter((id) => bpeControls.includes(tokenizer.tokenText(id)))).toEqual([]);
    expect(texts(tokenizer, plain)).toContain("<tool>");
    expect(tokenizer.decode(plain)).toBe(text);
    expect(tokenizer.encodeMixed(text, [6, 7])).toEqual(plain);
  });

  test("never yields a control token by merging or as a whole piece", async () => {
    const tokens = [...(bpeVocabulary().get("tokenizer.ggml.tokens") as string[]), "lo"];
    const types = Int32Array.from(tokens, (token) => (token === "lo" || bpeControls.includes(token) ? 3 : 1));
    const entries = { tokens, token_type: types, merges: ["l o", "h e"], pre: "llama-bpe" };
    const tokenizer = await bpe(entries);
    expect(texts(tokenizer, tokenizer.encode("lo hello"))).toEqual(["l", "o", "\u0120", "he", "l", "l", "o"]);
    expect(texts(tokenizer, tokenizer.encodeWithSpecials("hello"))).toEqual(["he", "l", "lo"]);
  });

  test("takes the longest of the tokens that start at one place", async () => {
    const tokens = [...(bpeVocabulary().get("tokenizer.ggml.tokens") as string[]), "<|im_end|>x"];
    const types = Int32Array.from(tokens, (token) => (token.startsWith("<|") ? 3 : 1));
    const tokenizer = await bpe({ tokens, token_type: types });
    expect(texts(tokenizer, tokenizer.encodeWithSpecials("<|im_end|>x<|im_end|>y"))).toEqual(["<|im_end|>x", "<|im_end|>", "y"]);
  });

  test("gives the bytes of a token, and nothing for a control token", async () => {
    const tokenizer = await bpe();
    const [id] = tokenizer.encode(" world");
    expect(new TextDecoder().decode(tokenizer.tokenBytes(id))).toBe(" world");
    expect([...tokenizer.tokenBytes(0xff)]).toEqual([tokenizer.tokenText(0xff).codePointAt(0)]);
    const end = tokenizer.specialTokens.get("<|im_end|>") ?? -1;
    expect(tokenizer.tokenBytes(end)).toHaveLength(0);
    expect(tokenizer.decode([end, id])).toBe("<|im_end|> world");
    expect(tokenizer.decode([end, id], { skipSpecial: true })).toBe(" world");
    const user = tokenizer.encode("\u00fc\u00fc");
    expect(user).toHaveLength(1);
    expect(tokenizer.decode(user)).toBe("\u00fc\u00fc");
    expect(tokenizer.tokenText(1e6)).toBe("");
    expect(tokenizer.tokenBytes(1e6)).toHaveLength(0);
  });

  test("knows the set of tokens that end an answer", async () => {
    const tokenizer = await bpe({ eot_token_id: 7 });
    expect(new Set(texts(tokenizer, [...tokenizer.endOfGeneration]))).toEqual(
      new Set(["<|endoftext|>", "<|im_end|>", "<|eot_id|>", tokenizer.tokenText(7)]),
    );
    expect([tokenizer.bosId, tokenizer.eosId, tokenizer.addBos, tokenizer.addEos]).toEqual([266, 268, false, false]);
  });

  test("adds a beginning of sequence where the file or its pre-tokenizer says so", async () => {
    expect((await bpe({ add_bos_token: true })).addBos).toBe(true);
    expect((await bpe({ pre: "llama-bpe" })).addBos).toBe(true);
    expect((await bpe({ pre: "llama-bpe", add_bos_token: false })).addBos).toBe(false);
  });

  test("frees the library's tokenizer", async () => {
    const dispose = vi.fn<() => void>();
    const library = { fromJSON: () => Promise.resolve({ encode: () => Int32Array.of(1), dispose }) };
    const tokenizer = await tokenizerFromGguf(bpeVocabulary(), () => Promise.resolve(library));
    expect(tokenizer.encode("x")).toEqual([1]);
    tokenizer.dispose();
    expect(dispose).toHaveBeenCalledOnce();
  });

  test("turns the library's failures into typed errors", async () => {
    expect(await errorCode(tokenizerFromGguf(bpeVocabulary(), () => Promise.reject(new Error("offline"))))).toBe("TOKENIZER.library");
    expect(await errorCode(tokenizerFromGguf(bpeVocabulary(), () => Promise.resolve({ fromJSON: abort })))).toBe("TOKENIZER.library");
    const library = { fromJSON: () => Promise.resolve({ encode: abort, dispose: () => undefined }) };
    const tokenizer = await tokenizerFromGguf(bpeVocabulary(), () => Promise.resolve(library));
    expect(() => tokenizer.encode("x")).toThrowError(expect.objectContaining({ code: "TOKENIZER.library" }) as ShaderloomError);
  });
});

describe("SentencePiece", () => {
  test("merges by score, leftmost first, with a space before each run of text", async () => {
    const tokenizer = await spm();
    expect(texts(tokenizer, tokenizer.encode("hello world"))).toEqual(["\u2581hello", "\u2581world"]);
    expect(texts(tokenizer, tokenizer.encode("aaaaaa"))).toEqual(["\u2581", "aaaa", "aa"]);
    expect(texts(tokenizer, tokenizer.encodeWithSpecials("hello<end_of_turn>hello"))).toEqual([
      "\u2581hello",
      "<end_of_turn>",
      "\u2581hello",
    ]);
    expect(tokenizer.decode(tokenizer.encode("hello world"))).toBe("hello world");
  });

  test("writes what it has no token for as bytes", async () => {
    const tokenizer = await spm({ add_space_prefix: false });
    expect(texts(tokenizer, tokenizer.encode("\u00e9z\n"))).toEqual(["\u00e9", "<0x7A>", "<0x0A>"]);
    expect(texts(tokenizer, tokenizer.encode("\ud83e\udd99"))).toEqual(["<0xF0>", "<0x9F>", "<0xA6>", "<0x99>"]);
    expect(texts(tokenizer, tokenizer.encode("<0x41><s>"))).not.toContain("<0x41>");
    expect(tokenizer.decode(tokenizer.encode(" \ud83e\udd99z <0x41>"))).toBe(" \ud83e\udd99z <0x41>");
  });

  test("keeps the space of a token that goes on a text", async () => {
    const tokenizer = await spm();
    const ids = [spmWords.indexOf("\u2581world") + 259];
    expect(tokenizer.decode(ids)).toBe("world");
    expect(tokenizer.decode(ids, { continues: true })).toBe(" world");
  });

  test("writes a run of unknown characters as one unknown token where there are no byte tokens", async () => {
    const tokens = ["<unk>", "<s>", "</s>", ...spmWords];
    const tokenizer = await spm({
      tokens,
      scores: Float32Array.from(tokens, (_, i) => -i),
      token_type: Int32Array.from(tokens, (_, i) => (i === 0 ? 2 : i < 3 ? 3 : 1)),
    });
    expect(texts(tokenizer, tokenizer.encode("zz hello xyz"))).toEqual(["\u2581", "<unk>", "\u2581hello", "\u2581", "<unk>"]);
  });

  test("agrees with merging the slow way, for random vocabularies and texts", async () => {
    const rng = seededRng(11);
    for (let round = 0; round < 40; round++) {
      const words = new Set(["\u2581", "a", "b", "c"]);
      while (words.size < 24) words.add(Array.from({ length: 2 + rng.below(3) }, () => "\u2581abc"[rng.below(4)]).join(""));
      const tokens = ["<unk>", "<s>", "</s>", ...words];
      const scores = Float32Array.from(tokens, () => -rng.below(8));
      const types = Int32Array.from(tokens, (_, i) => (i === 0 ? 2 : i < 3 ? 3 : 1));
      const tokenizer = await spm({ tokens, scores, token_type: types, add_space_prefix: false });
      const text = Array.from({ length: 1 + rng.below(30) }, () => " abc"[rng.below(4)]).join("");
      expect(texts(tokenizer, tokenizer.encode(text)), JSON.stringify({ tokens, text })).toEqual(
        slowMerge(text.replaceAll(" ", "\u2581"), tokens, scores),
      );
    }
  });
});

/** The definition: the best-scored mergeable pair first, the leftmost of equals. */
function slowMerge(text: string, tokens: readonly string[], scores: Float32Array): string[] {
  const pieces = Array.from(text);
  for (;;) {
    let best = -1;
    let bestScore = Number.NEGATIVE_INFINITY;
    for (let i = 0; i + 1 < pieces.length; i++) {
      const id = tokens.indexOf(pieces[i] + pieces[i + 1]);
      if (id >= 3 && scores[id] > bestScore) [best, bestScore] = [i, scores[id]];
    }
    if (best < 0) return pieces;
    pieces.splice(best, 2, pieces[best] + pieces[best + 1]);
  }
}

describe("odd text", () => {
  const odd = ["", "\0", "a\0b", "\ufeffx", "x\ufeff", "\u200b\u202e", "\r\n\t", "\u{10ffff}", "e\u0301", "\ufffd", "\ufffe"];

  test.each(["bpe", "spm"] as const)("comes back exactly from %s", async (kind) => {
    const tokenizer = await (kind === "bpe" ? bpe() : spm());
    for (const text of odd) expect(tokenizer.decode(tokenizer.encode(text))).toBe(text);
  });

  test.each(["bpe", "spm"] as const)("with lone surrogates becomes U+FFFD in %s", async (kind) => {
    const tokenizer = await (kind === "bpe" ? bpe() : spm());
    expect(tokenizer.decode(tokenizer.encode("a\ud800b\udc00"))).toBe("a\ufffdb\ufffd");
    expect(tokenizer.encode("\ud83e\udd99\ud83e")).toEqual([...tokenizer.encode("\ud83e\udd99\ufffd")]);
  });

  test.each(["bpe", "spm"] as const)("of random code points comes back exactly from %s", async (kind) => {
    const tokenizer = await (kind === "bpe" ? bpe() : spm());
    const rng = seededRng(3);
    const point = (): number => [rng.below(128), rng.below(0x800), 0xe000 + rng.below(0x1fff), 0x10000 + rng.below(0xfffff)][rng.below(4)];
    for (let round = 0; round < 200; round++) {
      const text = String.fromCodePoint(...Array.from({ length: rng.below(20) }, point));
      expect(tokenizer.decode(tokenizer.encode(text))).toBe(text);
    }
  });
});

describe("damaged vocabularies", () => {
  const cases: ReadonlyArray<readonly [string, Entries, string]> = [
    ["unknown kind", { model: "bert" }, "TOKENIZER.kind"],
    ["no kind", { model: undefined }, "TOKENIZER.vocab"],
    ["unknown pre-tokenizer", { pre: "whatever" }, "TOKENIZER.pre"],
    ["a pre-tokenizer that is no text", { pre: 3 }, "TOKENIZER.pre"],
    ["no tokens", { tokens: undefined }, "TOKENIZER.vocab"],
    ["tokens that are no texts", { tokens: Uint32Array.of(1, 2) }, "TOKENIZER.vocab"],
    ["no merges", { merges: undefined }, "TOKENIZER.vocab"],
    ["a merge of an unknown token", { merges: ["h e", "he zz"] }, "TOKENIZER.vocab"],
    ["a merge to an unknown token", { merges: ["h h"] }, "TOKENIZER.vocab"],
    ["a merge that is no pair", { merges: ["he"] }, "TOKENIZER.vocab"],
    ["too few types", { token_type: Int32Array.of(1, 1) }, "TOKENIZER.vocab"],
    ["a bos beyond the vocabulary", { bos_token_id: 99999 }, "TOKENIZER.vocab"],
    ["an eos that is no id", { eos_token_id: 1.5 }, "TOKENIZER.vocab"],
    ["a bos wanted and not named", { bos_token_id: undefined, add_bos_token: true }, "TOKENIZER.vocab"],
    ["a flag that is none", { add_bos_token: "yes" }, "TOKENIZER.vocab"],
  ];

  test.each(cases)("with %s are refused", async (_, entries, code) => {
    expect(await errorCode(bpe(entries))).toBe(code);
  });

  test("with a token twice are refused, naming both", async () => {
    const tokens = [...(bpeVocabulary().get("tokenizer.ggml.tokens") as string[])];
    tokens[5] = tokens[4];
    const error = await typedError(bpe({ tokens }));
    expect([error.code, error.detail]).toEqual(["TOKENIZER.vocab", { first: 4, second: 5 }]);
  });

  test("name the pre-tokenizer that is unknown", async () => {
    expect((await typedError(bpe({ pre: "jais-9" }))).detail).toEqual({ pre: "jais-9" });
  });

  const bytes = spmVocabulary().get("tokenizer.ggml.tokens") as string[];
  const withToken = (at: number, text: string): Entries => ({ tokens: bytes.map((token, id) => (id === at ? text : token)) });
  test.each([
    ["<0x-1>", withToken(20, "<0x-1>"), "TOKENIZER.bytes"],
    ["<0xZZ>", withToken(20, "<0xZZ>"), "TOKENIZER.bytes"],
    ["<0x1>", withToken(20, "<0x1>"), "TOKENIZER.bytes"],
    ["lower case", withToken(3 + 0xab, "<0xab>"), "TOKENIZER.bytes"],
    [
      "a missing byte",
      { token_type: Int32Array.from(bytes, (_, id) => (id === 0 ? 2 : id < 3 ? 3 : id === 20 ? 1 : id < 259 ? 6 : 1)) },
      "TOKENIZER.bytes",
    ],
    ["no scores", { scores: undefined }, "TOKENIZER.vocab"],
    ["too few scores", { scores: Float32Array.of(1) }, "TOKENIZER.vocab"],
    ["a score that is no number", { scores: Float32Array.from(bytes, () => Number.NaN) }, "TOKENIZER.vocab"],
  ] as ReadonlyArray<readonly [string, Entries, string]>)("of SentencePiece with %s are refused", async (_, entries, code) => {
    expect(await errorCode(spm(entries))).toBe(code);
  });

  test("that have a token named like a property of objects work", async () => {
    const tokens = [...(bpeVocabulary().get("tokenizer.ggml.tokens") as string[]), "__proto__", "constructor"];
    const types = Int32Array.from(tokens, (token) => (token.startsWith("<|") ? 3 : token.length > 8 ? 4 : 1));
    const tokenizer = await bpe({ tokens, token_type: types });
    expect(texts(tokenizer, tokenizer.encode("__proto__constructor"))).toEqual(["__proto__", "constructor"]);
  });
});
