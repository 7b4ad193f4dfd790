// Neurons that are streamed: what the window keeps of what tokens need, against Belady; bytes and errors by room; and, where an activation
// has no zeros, what it costs to take small ones for zero. On a seeded model whose locality is printed, because no trained one is at hand.

import { type NeuronRun, openNeuronRun } from "../src/testing/neuron_run.ts";
import { logitsOf, type NeuronOutcome, outcomeOf, perplexityOf, tracesOf } from "../src/testing/neuron_outcome.ts";
import { localityOf } from "../src/testing/activation_trace.ts";
import { windowShares } from "../src/testing/window_shares.ts";
import { seededRng } from "../src/base/rng.ts";
import { topicModel, type TopicModelOptions, topicTokens } from "../src/testing/topic_model.ts";

/** Room for some bundles of each layer. */
interface RoomRow extends NeuronOutcome {
  readonly slots: number;
  /** Whether tokens that lacked much were run again. */
  readonly again: boolean;
}

interface KeptRow extends NeuronOutcome {
  /** Share of the neurons' outputs that are kept, and the size below which others count as zero. */
  readonly kept: number;
  readonly threshold: number;
  readonly slots: number;
}

export interface NeuronsResult {
  readonly model: string;
  readonly tokens: number;
  /** Means over the layers: bundles active at a token, and of those that were active at the token before. */
  readonly density: number;
  readonly repeated: number;
  /** Hits of the window over Belady's on the model's own trace. */
  readonly window: ReadonlyArray<{ readonly slots: number; readonly share: number; readonly belady: number }>;
  readonly room: readonly RoomRow[];
  /** SwiGLU: perplexity of text that the whole model drew, whole and with fewer neurons. */
  readonly swiglu: { readonly perplexity: number; readonly rows: readonly KeptRow[] };
}

const shape = {
  format: "f16",
  layers: 4,
  bundles: 64,
  topics: 8,
  own: 4,
  shared: 6,
  seed: 3,
  contextLength: 256,
} satisfies TopicModelOptions;
const count = 128;
const halfLife = 2;
/** A token is run again when more than this of its active neurons was probably missing, at most so often. */
const again = { above: 0.02, times: 3 };
const slotCounts = [16, 24, 32] as const;
/** Shares of neurons' outputs that are kept, and room for bundles. */
const keptShares = [
  { kept: 0.5, slots: 64 },
  { kept: 0.2, slots: 64 },
  { kept: 0.1, slots: 64 },
  { kept: 0.05, slots: 64 },
  { kept: 0.1, slots: 32 },
  { kept: 0.05, slots: 32 },
] as const;

export async function measureNeurons(gpu: GPU, deviceClass: "gpu" | "cpu" = "gpu"): Promise<NeuronsResult> {
  const how = { deviceClass, activations: "f32" } as const;
  const all = { slots: shape.bundles, shadow: false, halfLife };
  const file = await topicModel(shape);
  const tokens = topicTokens(count, { topics: shape.topics, stay: 0.95, seed: 4 });
  const want = await using(openNeuronRun(gpu, file, how), (run) => logitsOf(run, tokens));
  const { traces } = await using(openNeuronRun(gpu, file, { ...how, neurons: all }), (run) => tracesOf(run, tokens));
  const localities = traces.map((trace) => localityOf(trace, shape.bundles));
  const meanOf = (of: "density" | "repeated"): number => localities.reduce((sum, one) => sum + one[of], 0) / localities.length;
  const room: RoomRow[] = [];
  for (const slots of [...slotCounts, shape.bundles]) {
    for (const repeats of slots === shape.bundles ? [false] : [false, true]) {
      const neurons = { slots, shadow: slots < shape.bundles, halfLife, ...(repeats && { again }) };
      const outcome = await using(openNeuronRun(gpu, file, { ...how, neurons }), (run) => outcomeOf(run, file, { tokens, want }));
      room.push({ slots, again: repeats, ...outcome });
    }
  }
  return {
    model: `${shape.layers} layers of ${shape.bundles} bundles, ${shape.format}`,
    tokens: count,
    density: meanOf("density"),
    repeated: meanOf("repeated"),
    window: slotCounts.map((slots) => ({ slots, ...windowShares(traces, slots, halfLife) })),
    room,
    swiglu: await measureSwiglu(gpu, deviceClass),
  };
}

async function measureSwiglu(gpu: GPU, deviceClass: "gpu" | "cpu"): Promise<NeuronsResult["swiglu"]> {
  const how = { deviceClass, activations: "f32" } as const;
  const all = { slots: shape.bundles, shadow: false, halfLife };
  const file = await topicModel({ ...shape, activation: "silu" });
  const { tokens, want } = await using(openNeuronRun(gpu, file, how), (run) => drawText(run, count));
  const { sizes } = await using(openNeuronRun(gpu, file, { ...how, neurons: all }), (run) => tracesOf(run, tokens.slice(0, 32)));
  const rows: KeptRow[] = [];
  for (const { kept, slots } of keptShares) {
    const threshold = sizes[Math.floor(sizes.length * (1 - kept))];
    const shadow = slots < shape.bundles;
    const neurons = { slots, shadow, halfLife, threshold, ...(shadow && { again }) };
    const outcome = await using(openNeuronRun(gpu, file, { ...how, neurons }), (run) => outcomeOf(run, file, { tokens, want }));
    rows.push({ kept, threshold, slots, ...outcome });
  }
  return { perplexity: perplexityOf(want, tokens), rows };
}

/** Text drawn from a model as it is, with the logits after each token. */
async function drawText(run: NeuronRun, length: number): Promise<{ readonly tokens: number[]; readonly want: Float32Array[] }> {
  const rng = seededRng(7);
  const tokens = [1];
  const want: Float32Array[] = [];
  while (want.length < length) {
    const logits = await run.step(tokens[want.length], want.length);
    want.push(logits);
    if (want.length < length) tokens.push(draw(logits, rng.unit()));
  }
  return { tokens, want };
}

/** The id at which the cumulative probability passes `unit`. */
function draw(logits: Float32Array, unit: number): number {
  const most = logits.reduce((a, b) => Math.max(a, b), -Infinity);
  const weights = Float64Array.from(logits, (logit) => Math.exp(logit - most));
  let left = unit * weights.reduce((a, b) => a + b, 0);
  const id = weights.findIndex((weight) => (left -= weight) < 0);
  return id < 0 ? logits.length - 1 : id;
}

async function using<T>(opening: Promise<NeuronRun>, use: (run: NeuronRun) => Promise<T>): Promise<T> {
  const run = await opening;
  try {
    return await use(run);
  } finally {
    await run.close();
  }
}
