// Attention as a cascade of einsums, and how often it passes over keys and values: the number decides what has to be kept or read again,
// whatever kernels look like. Lowering takes cascades of one pass alone. After FuseMax, arXiv:2406.10491.

/** A tensor's ranks by name: `key` stands for the positions of keys. */
type Ranks = readonly string[];

/** One einsum of a cascade. Ranks that operands have and the result has not are reduced: it is known once they are traversed. */
export interface Einsum {
  readonly result: string;
  readonly ranks: Ranks;
  readonly operands: readonly string[];
  /**
   * A rank over which the result is kept up to date: entry i is of entries 0 to i of the operands, and made while they are traversed. Such a
   * result has the rank.
   */
  readonly running?: string;
}

export interface Cascade {
  readonly inputs: Readonly<Record<string, Ranks>>;
  readonly steps: readonly Einsum[];
}

/**
 * Traversals of a rank that a cascade cannot do without: a step that combines entries along it with something that is known only after they
 * all were seen has to begin anew.
 */
export function passesOver({ inputs, steps }: Cascade, rank: string): number {
  const known = new Map<string, { ranks: Ranks; pass: number }>();
  for (const [name, ranks] of Object.entries(inputs)) known.set(name, { ranks, pass: ranks.includes(rank) ? 1 : 0 });
  let most = 0;
  for (const { result, ranks, operands } of steps) {
    const read = operands.map((name) => {
      const found = known.get(name);
      if (!found) throw new RangeError(`${result} is made of ${name}, which no step before it gives`);
      return found;
    });
    const along = read.filter((one) => one.ranks.includes(rank));
    // Beside entries along the rank, what was reduced over it in pass p is there in pass p + 1.
    const pass = Math.max(
      ...read.map((one) => (along.length === 0 || one.ranks.includes(rank) || one.pass === 0 ? one.pass : one.pass + 1)),
    );
    known.set(result, { ranks, pass });
    if (along.length > 0) most = Math.max(most, pass);
  }
  return most;
}

const attentionInputs: Cascade["inputs"] = { Q: ["query", "dim"], K: ["key", "dim"], V: ["key", "dim"] };
const scores: Einsum = { result: "S", ranks: ["query", "key"], operands: ["Q", "K"] }; // score(scale sum_dim Q K), masked;

/**
 * Attention as every kernel here computes it: maximum, sum and output are kept up to date and made comparable by exp(old - new maximum). Also of
 * ranges that run side by side, whose join reads no keys.
 */
export const onlineAttention: Cascade = {
  inputs: attentionInputs,
  steps: [
    scores,
    { result: "M", ranks: ["query", "key"], operands: ["S"], running: "key" }, // max(M, S)
    { result: "P", ranks: ["query", "key"], operands: ["S", "M"] }, // exp(S - M)
    { result: "L", ranks: ["query", "key"], operands: ["P", "M"], running: "key" }, // exp(M' - M) L + P
    { result: "A", ranks: ["query", "key", "dim"], operands: ["P", "V", "M"], running: "key" }, // exp(M' - M) A + P V
    { result: "last L", ranks: ["query"], operands: ["L"] }, // L of the last key
    { result: "last A", ranks: ["query", "dim"], operands: ["A"] }, // A of the last key
    { result: "Y", ranks: ["query", "dim"], operands: ["last A", "last L"] }, // A / L
  ],
};

/** Attention as it is written down: the maximum, then the sum, then the weights times values. Three passes. */
export const naiveAttention: Cascade = {
  inputs: attentionInputs,
  steps: [
    scores,
    { result: "M", ranks: ["query"], operands: ["S"] }, // max_key S
    { result: "P", ranks: ["query", "key"], operands: ["S", "M"] }, // exp(S - M)
    { result: "L", ranks: ["query"], operands: ["P"] }, // sum_key P
    { result: "W", ranks: ["query", "key"], operands: ["P", "L"] }, // P / L
    { result: "Y", ranks: ["query", "dim"], operands: ["W", "V"] }, // sum_key W V
  ],
};
