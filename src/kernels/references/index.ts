// The CPU reference of every kernel: what says what is right. For the self-test, the interpreter of graphs, tests and benches; no part of what
// runs a model, which is why kernels do not name theirs.

import { assert } from "../../base/errors.ts";
import type { Kernel, Reference } from "../kernel.ts";
import { decodeReference, mergeReference, prefillReference } from "./attention.ts";
import { headsReference, kvStoreReference, regroupReference, ropeReference } from "./heads.ts";
import { quantizePagesReference, recentReference, repairPagesReference } from "./kv_pages.ts";
import { kvCompactReference, kvScoresReference, kvScoreSumsReference } from "./kv_scores.ts";
import { linearReference } from "./linear.ts";
import { neuronDownReference, neuronReportReference, neuronScoresReference, neuronUpReference } from "./neurons.ts";
import { peakReference } from "./peak.ts";
import { addReference, embedReference, gatherRowsReference, gluReference, quantizeReference, rmsNormReference } from "./rows.ts";
import { pickBestReference, samplePickReference, sampleTilesReference } from "./sample.ts";
import { advanceReference, topKReference } from "./steps.ts";

/** By the names of kernels, which say what the attributes are. */
const references: Readonly<Record<string, Reference<never>>> = {
  add: addReference,
  advance: advanceReference,
  attention_decode: decodeReference,
  attention_merge: mergeReference,
  attention_prefill: prefillReference,
  embed: embedReference,
  gather_rows: gatherRowsReference,
  glu: gluReference,
  heads: headsReference,
  kv_quantize: quantizePagesReference,
  kv_recent: recentReference,
  kv_compact: kvCompactReference,
  kv_score_sums: kvScoreSumsReference,
  kv_repair: repairPagesReference,
  kv_scores: kvScoresReference,
  kv_store: kvStoreReference,
  linear: linearReference,
  neuron_down: neuronDownReference,
  neuron_report: neuronReportReference,
  neuron_scores: neuronScoresReference,
  neuron_up: neuronUpReference,
  peak: peakReference,
  pick_best: pickBestReference,
  quantize: quantizeReference,
  regroup: regroupReference,
  rms_norm: rmsNormReference,
  rope: ropeReference,
  sample_pick: samplePickReference,
  sample_tiles: sampleTilesReference,
  top_k: topKReference,
};

/** The reference of a kernel of this room. */
export function referenceOf<A>(kernel: Pick<Kernel<A>, "name">): Reference<A> {
  const found = references[kernel.name];
  assert(found, `${kernel.name} has no reference`);
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the table holds each under its kernel's name
  return found as Reference<A>;
}
