// The number of tokens in flight on devices that exist on paper only: it must keep each of them busy and not run far ahead.

import { describe, expect, test } from "vitest";
import { chooseInFlight, Flight, FlightPace } from "./flight.ts";

describe("chooseInFlight", () => {
  test("one more than end during the latency, once the ring is large enough to tell", () => {
    expect(chooseInFlight({ inFlight: 4, latencyMs: 21, intervalMs: 10 })).toBe(4);
    expect(chooseInFlight({ inFlight: 3, latencyMs: 11, intervalMs: 10 })).toBe(3);
  });

  test("twice as many while the ring is what limits, 32 at most", () => {
    expect(chooseInFlight({ inFlight: 2, latencyMs: 100, intervalMs: 50 })).toBe(4);
    expect(chooseInFlight({ inFlight: 16, latencyMs: 100, intervalMs: 6.25 })).toBe(32);
    expect(chooseInFlight({ inFlight: 32, latencyMs: 1000, intervalMs: 1 })).toBe(32);
  });

  test("no more than end within the latency and a quarter of a second", () => {
    expect(chooseInFlight({ inFlight: 2, latencyMs: 900, intervalMs: 500 })).toBe(3);
    expect(chooseInFlight({ inFlight: 8, latencyMs: 50, intervalMs: 100 })).toBe(4);
  });

  test("fewer by halves, 2 at least, whatever a clock says", () => {
    expect(chooseInFlight({ inFlight: 32, latencyMs: 100, intervalMs: 10 })).toBe(21);
    expect(chooseInFlight({ inFlight: 2, latencyMs: 0, intervalMs: 10 })).toBe(2);
    expect(chooseInFlight({ inFlight: 2, latencyMs: 0, intervalMs: 0 })).toBe(2);
    expect(chooseInFlight({ inFlight: 3, latencyMs: 1, intervalMs: 0 })).toBe(6);
  });
});

/** A GPU that takes `stepMs` for a step and tells of it `lateMs` later, at the next of ticks `tickMs` apart. */
interface PaperGpu {
  readonly stepMs: number;
  readonly lateMs?: number;
  readonly tickMs?: number;
}

/** Runs steps on paper. @returns mean interval of the last half of the results, and the largest number in flight there */
async function fly(
  { stepMs, lateMs = 0, tickMs = 0 }: PaperGpu,
  steps: number,
  pace = new FlightPace(),
): Promise<[ms: number, most: number]> {
  let now = 0;
  let gpuFree = 0;
  const told: number[] = [];
  const flight = new Flight<number>(pace, { now: () => now });
  const results: number[] = [];
  let most = 0;
  let submitted = 0;
  while (results.length < steps) {
    while (flight.room && submitted < steps) {
      gpuFree = Math.max(now, gpuFree) + stepMs;
      const late = gpuFree + lateMs;
      const at = tickMs > 0 ? Math.ceil(late / tickMs) * tickMs : late;
      told.push(at);
      // The clock moves when somebody waits for it, so the result is asked for lazily, below.
      flight.launch(Promise.resolve(at));
      submitted++;
    }
    if (results.length > steps / 2) most = Math.max(most, submitted - results.length);
    // What `next` reads before and after its await.
    const pending = flight.next();
    now = Math.max(now, told[results.length]);
    await pending;
    results.push(now);
  }
  const middle = Math.floor(steps / 2);
  return [(results[steps - 1] - results[middle]) / (steps - 1 - middle), most];
}

describe("FlightPace", () => {
  const cases: Array<[name: string, gpu: PaperGpu, fewest: number, most: number]> = [
    ["a browser that tells at once", { stepMs: 10 }, 2, 4],
    ["a browser that tells after 2 ms", { stepMs: 1, lateMs: 2 }, 4, 8],
    ["a browser that tells 100 ms late", { stepMs: 20, lateMs: 100 }, 7, 14],
    ["a timer of 100 ms", { stepMs: 25, tickMs: 100 }, 4, 16],
    ["slow steps and a timer", { stepMs: 400, tickMs: 100 }, 2, 4],
  ];
  test.for(cases)("%s: the GPU is busy and not far ahead", async ([, gpu, fewest, most]) => {
    const [interval, inFlight] = await fly(gpu, 2000);
    expect(interval).toBeLessThan(1.05 * gpu.stepMs);
    expect(inFlight).toBeGreaterThanOrEqual(fewest);
    expect(inFlight).toBeLessThanOrEqual(most);
  });

  test("steps of 1 ms told 100 ms late: about 32 in flight after a second", async () => {
    const pace = new FlightPace();
    await fly({ stepMs: 1, lateMs: 100 }, 120, pace);
    expect(pace.inFlight).toBeGreaterThanOrEqual(24);
  });

  test("what one request learnt holds for the next", async () => {
    const pace = new FlightPace();
    await fly({ stepMs: 5, lateMs: 60 }, 400, pace);
    const learnt = pace.inFlight;
    await fly({ stepMs: 5, lateMs: 60 }, 2, pace);
    expect(pace.inFlight).toBe(learnt);
  });

  test("a number asked for is kept to", async () => {
    const [, most] = await fly({ stepMs: 1, lateMs: 100 }, 200, new FlightPace(5));
    expect(most).toBe(5);
  });
});

describe("Flight", () => {
  test("results come in order, a failure to the one who waits for it and to nobody else", async () => {
    const flight = new Flight<number>(new FlightPace(3));
    flight.launch(new Promise((resolve) => void setTimeout(resolve, 5, 1)));
    flight.launch(Promise.reject(new Error("lost")));
    flight.launch(Promise.reject(new Error("lost")));
    expect(flight.room).toBe(false);
    expect(await flight.next()).toBe(1);
    await expect(flight.next()).rejects.toThrow("lost");
    expect(flight.leave()).toBe(1);
    expect(flight.room).toBe(true);
  });

  test("one at a time where each needs the one before", async () => {
    const pace = new FlightPace(8);
    const flight = new Flight<number>(pace, { most: 1 });
    flight.launch(Promise.resolve(1));
    expect(flight.room).toBe(false);
    await flight.next();
    expect(flight.room).toBe(true);
    expect(pace.inFlight).toBe(1);
    const next = new Flight<number>(pace);
    next.launch(Promise.resolve(2));
    expect(next.room).toBe(true);
    expect(pace.inFlight).toBe(8);
  });
});
