// Rows that cover every pair of values of any two factors, far fewer than the full product: most faults need one value or two
// that meet (Kuhn, Wallace, Gallo 2004, "Software Fault Interactions"). Greedy and deterministic; no promise of the fewest rows.

/** Values by the name of their factor. */
export type Factors = Readonly<Record<string, readonly unknown[]>>;

export type FactorRow<F extends Factors> = { readonly [Name in keyof F]: F[Name][number] };

/** Whether the values chosen so far can stand in one row. */
export type Allowed<F extends Factors> = (row: Partial<FactorRow<F>>) => boolean;

/** For each factor the index of its value, or -1. */
type Choice = readonly number[];

/** Rows in which every two values of different factors meet at least once, unless no allowed row has them both. */
export function allPairs<F extends Factors>(factors: F, allowed: Allowed<F> = () => true): FactorRow<F>[] {
  const names = Object.keys(factors);
  const sizes = names.map((name) => factors[name].length);
  const rowOf = (choice: Choice): Partial<FactorRow<F>> => {
    const entries = names.flatMap((name, factor) => (choice[factor] < 0 ? [] : [[name, factors[name][choice[factor]]]]));
    return Object.fromEntries(entries) as Partial<FactorRow<F>>;
  };
  const open = everyPair(sizes);
  const rows: FactorRow<F>[] = [];
  const used = sizes.map((size) => new Uint32Array(size));
  for (let pair = first(open); pair !== undefined; pair = first(open)) {
    const choice = complete(seed(pair, sizes.length), { sizes, open, used, fits: (partial) => allowed(rowOf(partial)) });
    // No allowed row has this pair.
    open.delete(pair);
    if (choice === undefined) continue;
    for (const covered of pairsOf(choice)) open.delete(covered);
    for (const [factor, value] of choice.entries()) used[factor][value] += 1;
    rows.push(rowOf(choice) as FactorRow<F>);
  }
  return rows;
}

function first<T>(values: ReadonlySet<T>): T | undefined {
  for (const value of values) return value;
  return undefined;
}

/** Factor a's value i together with factor b's value j, a < b. */
function pairKey(a: number, i: number, b: number, j: number): string {
  return `${a} ${i} ${b} ${j}`;
}

function everyPair(sizes: readonly number[]): Set<string> {
  const pairs = new Set<string>();
  for (let b = 0; b < sizes.length; b++) {
    for (let a = 0; a < b; a++) {
      for (let i = 0; i < sizes[a]; i++) for (let j = 0; j < sizes[b]; j++) pairs.add(pairKey(a, i, b, j));
    }
  }
  return pairs;
}

function pairsOf(choice: Choice): string[] {
  return choice.flatMap((j, b) => choice.slice(0, b).map((i, a) => pairKey(a, i, b, j)));
}

function seed(pair: string, count: number): Choice {
  const [a, i, b, j] = pair.split(" ").map(Number);
  return Array.from({ length: count }, (_, factor) => (factor === a ? i : factor === b ? j : -1));
}

interface Search {
  readonly sizes: readonly number[];
  readonly open: ReadonlySet<string>;
  /** How many rows have a value, by factor. */
  readonly used: readonly Uint32Array[];
  readonly fits: (choice: Choice) => boolean;
}

/** The choice with a value for every factor, those first that bring most new pairs; undefined when nothing fits. */
function complete(choice: Choice, search: Search): Choice | undefined {
  if (!search.fits(choice)) return undefined;
  const factor = choice.indexOf(-1);
  if (factor === -1) return choice;
  const values = Array.from({ length: search.sizes[factor] }, (_, value) => ({
    value,
    gain: gain(choice, { factor, value }, search.open),
  }));
  // Ties go to the value that fewest rows have, then to the first: values meet in threes as well, and rows are the same on every run.
  const rare = search.used[factor];
  for (const { value } of values.toSorted((one, other) => other.gain - one.gain || rare[one.value] - rare[other.value])) {
    const found = complete(choice.with(factor, value), search);
    if (found !== undefined) return found;
  }
  return undefined;
}

function gain(choice: Choice, { factor, value }: { factor: number; value: number }, open: ReadonlySet<string>): number {
  let pairs = 0;
  for (const [other, chosen] of choice.entries()) {
    if (chosen < 0) continue;
    const key = other < factor ? pairKey(other, chosen, factor, value) : pairKey(factor, value, other, chosen);
    if (open.has(key)) pairs += 1;
  }
  return pairs;
}
