// Seeded traces of active bundles with a stated locality: tokens stay with a topic, a topic has bundles that it likes.

import { seededRng, type Rng } from "../base/rng.ts";

export interface TraceOptions {
  readonly bundles: number;
  readonly tokens: number;
  readonly topics: number;
  /** Probability that the next token has the same topic. */
  readonly stay: number;
  /** Bundles that all topics share, and that each has of its own. */
  readonly shared: number;
  readonly own: number;
  /** Probability that a bundle of the topic is active, and that any other is. */
  readonly likely: number;
  readonly unlikely: number;
  readonly seed: number;
}

function pick(rng: Rng, count: number, bundles: number): number[] {
  const order = Array.from({ length: bundles }, (_, bundle) => bundle);
  for (let place = 0; place < count; place++) {
    const other = place + rng.below(bundles - place);
    [order[place], order[other]] = [order[other], order[place]];
  }
  return order.slice(0, count);
}

/** Active bundles of each token, ascending. */
export function topicTrace(options: TraceOptions): number[][] {
  const { bundles, tokens, topics, stay, likely, unlikely } = options;
  const rng = seededRng(options.seed);
  const shared = pick(rng, options.shared, bundles);
  const liked = Array.from({ length: topics }, () => new Set([...shared, ...pick(rng, options.own, bundles)]));
  let topic = rng.below(topics);
  return Array.from({ length: tokens }, () => {
    if (rng.unit() > stay) topic = rng.below(topics);
    const chance = (bundle: number): number => (liked[topic].has(bundle) ? likely : unlikely);
    return Array.from({ length: bundles }, (_, bundle) => bundle).filter((bundle) => rng.unit() < chance(bundle));
  });
}

/** Shares of a trace: of bundles that are active at a token, and of those that were active at the token before. */
export function localityOf(
  trace: readonly (readonly number[])[],
  bundles: number,
): { readonly density: number; readonly repeated: number } {
  const active = trace.reduce((sum, token) => sum + token.length, 0);
  const again = trace.slice(1).map((token, before) => token.filter((bundle) => trace[before].includes(bundle)).length);
  const later = trace.slice(1).reduce((sum, token) => sum + token.length, 0);
  return { density: active / (trace.length * bundles), repeated: again.reduce((sum, count) => sum + count, 0) / later };
}
