// Stop strings over any cutting of the text, against a search in the whole.
import { describe, expect, test } from "vitest";
import { seededRng } from "../base/rng.ts";
import { createStopMatcher } from "./stop_strings.ts";

interface Outcome {
  readonly text: string;
  readonly stop: string | undefined;
}

function run(stops: readonly string[], pieces: readonly string[]): Outcome {
  const matcher = createStopMatcher(stops);
  let text = "";
  for (const piece of pieces) {
    const result = matcher.push(piece);
    text += result.text;
    if (result.stopped) return { text, stop: result.stop };
  }
  return { text: text + matcher.flush(), stop: undefined };
}

/** The definition: the stop that ends first, the longer of two that end together. */
function searchWhole(stops: readonly string[], text: string): Outcome {
  for (let end = 1; end <= text.length; end++) {
    const found = stops.filter((stop) => stop !== "" && text.slice(0, end).endsWith(stop)).toSorted((a, b) => b.length - a.length)[0];
    if (found !== undefined) return { text: text.slice(0, end - found.length), stop: found };
  }
  return { text, stop: undefined };
}

describe("stop strings", () => {
  test("are found over the borders of pieces, and what precedes them is kept", () => {
    expect(run(["\nUser:"], ["Hello", " there\nUs", "er", ": hi"])).toEqual({ text: "Hello there", stop: "\nUser:" });
    expect(run(["END"], ["no e", "nd here EN", "D"])).toEqual({ text: "no end here ", stop: "END" });
    expect(run(["x"], ["ab", "c"])).toEqual({ text: "abc", stop: undefined });
  });

  test("hold back no text that cannot become one", () => {
    const matcher = createStopMatcher(["STOP"]);
    expect(matcher.push("abc")).toEqual({ text: "abc", stopped: false });
    expect(matcher.push("dST")).toEqual({ text: "d", stopped: false });
    expect(matcher.push("x")).toEqual({ text: "STx", stopped: false });
    expect(matcher.push("SST")).toEqual({ text: "S", stopped: false });
    expect(matcher.flush()).toBe("ST");
    expect(matcher.flush()).toBe("");
  });

  test("give nothing after a stop", () => {
    const matcher = createStopMatcher(["!"]);
    expect(matcher.push("hi! more")).toEqual({ text: "hi", stopped: true, stop: "!" });
    expect(matcher.push("more")).toEqual({ text: "", stopped: true, stop: "!" });
    expect(matcher.flush()).toBe("");
  });

  test("that are empty, or none, let everything through", () => {
    expect(run(["", ""], ["a", "b"])).toEqual({ text: "ab", stop: undefined });
    expect(run([], ["a", "b"])).toEqual({ text: "ab", stop: undefined });
  });

  test("agree with a search in the whole text, for random texts and cuts", () => {
    const rng = seededRng(41);
    const letters = (count: number): string => Array.from({ length: count }, () => "ab\u00e9"[rng.below(3)]).join("");
    for (let round = 0; round < 3000; round++) {
      const stops = Array.from({ length: 1 + rng.below(3) }, () => letters(1 + rng.below(5)));
      const pieces = Array.from({ length: rng.below(8) }, () => letters(rng.below(5)));
      expect(run(stops, pieces), JSON.stringify({ stops, pieces })).toEqual(searchWhole(stops, pieces.join("")));
    }
  });
});
