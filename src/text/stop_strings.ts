// Finds stop strings in a stream of text, across the borders of its pieces. Text is held back only while it is the start of a
// stop string. The stop whose last character comes first wins; of two that end together, the longer.

export interface StopMatcher {
  /** @returns the text that is certain; after a stop, what precedes it, and nothing from then on */
  push(text: string): { text: string; stopped: boolean; stop?: string };
  /** @returns what was held, when the stream ends without a stop */
  flush(): string;
}

/** @param stops empty ones are ignored */
export function createStopMatcher(stops: readonly string[]): StopMatcher {
  const automata = stops.filter((stop) => stop !== "").map((stop) => ({ stop, failure: failureTable(stop), matched: 0 }));
  let held = "";
  let found: string | undefined;
  return {
    push(text) {
      if (found !== undefined) return { text: "", stopped: true, stop: found };
      const pending = held + text;
      for (let i = held.length; i < pending.length; i++) {
        for (const automaton of automata) {
          advance(automaton, pending.charCodeAt(i));
          const { stop, matched } = automaton;
          if (matched === stop.length && stop.length > (found?.length ?? 0)) found = stop;
        }
        if (found === undefined) continue;
        held = "";
        return { text: pending.slice(0, i + 1 - found.length), stopped: true, stop: found };
      }
      const keep = Math.max(0, ...automata.map(({ matched }) => matched));
      held = pending.slice(pending.length - keep);
      return { text: pending.slice(0, pending.length - keep), stopped: false };
    },
    flush() {
      const rest = held;
      held = "";
      return rest;
    },
  };
}

/** Knuth-Morris-Pratt: [length] the longest proper prefix that ends at each place. */
function failureTable(pattern: string): number[] {
  const table = [0];
  let matched = 0;
  for (let i = 1; i < pattern.length; i++) {
    while (matched > 0 && pattern[i] !== pattern[matched]) matched = table[matched - 1];
    if (pattern[i] === pattern[matched]) matched++;
    table.push(matched);
  }
  return table;
}

function advance(automaton: { stop: string; failure: readonly number[]; matched: number }, unit: number): void {
  const { stop, failure } = automaton;
  while (automaton.matched > 0 && (automaton.matched === stop.length || stop.charCodeAt(automaton.matched) !== unit)) {
    automaton.matched = failure[automaton.matched - 1];
  }
  if (stop.charCodeAt(automaton.matched) === unit) automaton.matched++;
}
