// What a load needs once it has a device and a model's header, in one chunk that is fetched while it gets them: what checks and races kernels,
// reads weights, and turns text into ids.

export { collectClasses } from "../tuning/classes.ts";
export { Tuner } from "../tuning/tuner.ts";
export { loadText } from "./model_text.ts";
export { readWeights } from "./read_weights.ts";
export { WeightDigest } from "./weight_digest.ts";
