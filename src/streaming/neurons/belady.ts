// The most hits that any choice of resident bundles could have had on a trace, knowing the future: what policies are measured by. Belady's
// rule (doi:10.1147/sj.52.0078) for several bundles a token: of those here and those that the token brought, keep what is needed soonest.

/** Bundles that each token of a trace needed. */
export type Trace = readonly (readonly number[])[];

/** Bundles of the trace that were here when their token needed them. */
export function beladyHits(trace: Trace, capacity: number): number {
  const uses = new Map<number, number[]>();
  for (const [token, active] of trace.entries()) {
    for (const bundle of active) {
      const known = uses.get(bundle);
      if (known) known.push(token);
      else uses.set(bundle, [token]);
    }
  }
  const passed = new Map<number, number>();
  const nextUse = (bundle: number): number => uses.get(bundle)?.[passed.get(bundle) ?? 0] ?? Number.POSITIVE_INFINITY;
  let here = new Set<number>();
  let hits = 0;
  for (const active of trace) {
    for (const bundle of active) {
      if (here.has(bundle)) hits++;
      passed.set(bundle, (passed.get(bundle) ?? 0) + 1);
    }
    const ranked = [...new Set([...here, ...active])].toSorted((a, b) => nextUse(a) - nextUse(b) || a - b);
    here = new Set(ranked.slice(0, capacity).filter((bundle) => Number.isFinite(nextUse(bundle))));
  }
  return hits;
}

/** Bundles of a trace that a policy had here: `advance` is told what each token needed and has changed `resident` by the next. */
export function policyHits(
  trace: Trace,
  policy: { readonly resident: ReadonlySet<number>; advance(active: readonly number[]): unknown },
): { readonly hits: number; readonly needed: number } {
  let [hits, needed] = [0, 0];
  for (const active of trace) {
    hits += active.filter((bundle) => policy.resident.has(bundle)).length;
    needed += active.length;
    policy.advance(active);
  }
  return { hits, needed };
}
