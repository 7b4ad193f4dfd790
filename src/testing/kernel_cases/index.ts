// Every kernel with its cases: conformance tests and the checks of all shaders walk this list.

import { add } from "../../kernels/add.ts";
import { advance } from "../../kernels/advance.ts";
import { attentionDecode } from "../../kernels/attention_decode.ts";
import { attentionMerge } from "../../kernels/attention_merge.ts";
import { attentionPrefill } from "../../kernels/attention_prefill.ts";
import { embed } from "../../kernels/embed.ts";
import { gatherRows } from "../../kernels/gather_rows.ts";
import { glu } from "../../kernels/glu.ts";
import { heads } from "../../kernels/heads.ts";
import type { Kernel, KernelCase } from "../../kernels/kernel.ts";
import { kvQuantize } from "../../kernels/kv_quantize.ts";
import { kvRepair } from "../../kernels/kv_repair.ts";
import { kvRecent } from "../../kernels/kv_recent.ts";
import { kvCompact } from "../../kernels/kv_compact.ts";
import { kvScores, kvScoreSums } from "../../kernels/kv_scores.ts";
import { kvStore } from "../../kernels/kv_store.ts";
import { linear } from "../../kernels/linear.ts";
import { neuronDown, neuronReport, neuronScores, neuronUp } from "../../kernels/neurons.ts";
import { peak } from "../../kernels/peak.ts";
import { pickBest } from "../../kernels/pick_best.ts";
import { quantize } from "../../kernels/quantize.ts";
import { regroup } from "../../kernels/regroup.ts";
import { rmsNorm } from "../../kernels/rms_norm.ts";
import { rope } from "../../kernels/rope.ts";
import { samplePick } from "../../kernels/sample_pick.ts";
import { sampleTiles } from "../../kernels/sample_tiles.ts";
import { topK } from "../../kernels/top_k.ts";
import { embedCases, linearCases } from "../product_cases.ts";
import { addCases } from "./add.ts";
import { advanceCases } from "./advance.ts";
import { attentionDecodeCases } from "./attention_decode.ts";
import { attentionMergeCases } from "./attention_merge.ts";
import { attentionPrefillCases } from "./attention_prefill.ts";
import { gatherRowsCases } from "./gather_rows.ts";
import { gluCases } from "./glu.ts";
import { headsCases } from "./heads.ts";
import { kvQuantizeCases, kvRecentCases, kvRepairCases, pageDecodeCases, pagePrefillCases, pageStoreCases } from "./kv_pages.ts";
import { kvCompactCases, kvScoresCases } from "./kv_eviction.ts";
import { kvStoreCases } from "./kv_store.ts";
import { neuronDownCases, neuronReportCases, neuronScoresCases, neuronUpCases } from "./neurons.ts";
import { peakCases } from "./peak.ts";
import { quantizeCases } from "./quantize.ts";
import { regroupCases } from "./regroup.ts";
import { rmsNormCases } from "./rms_norm.ts";
import { ropeCases } from "./rope.ts";
import { sampleCases } from "./sample.ts";
import { topKCases } from "./top_k.ts";

export interface TestedKernel<A> extends Kernel<A> {
  readonly cases: readonly KernelCase<A>[];
}

/** A kernel whose attributes the caller need not know: its own cases bring them. */
export interface ListedKernel {
  readonly name: string;
  /** Hands the kernel, its type intact, to a visitor. */
  visit<R>(visitor: <A>(kernel: TestedKernel<A>) => R): R;
}

function listed<A>(kernel: Kernel<A>, cases: readonly KernelCase<A>[]): ListedKernel {
  return { name: kernel.name, visit: (visitor) => visitor({ ...kernel, cases }) };
}

export const testedKernels: readonly ListedKernel[] = [
  listed(add, addCases),
  listed(advance, advanceCases),
  listed(attentionDecode, [...attentionDecodeCases, ...pageDecodeCases]),
  listed(attentionMerge, attentionMergeCases),
  listed(attentionPrefill, [...attentionPrefillCases, ...pagePrefillCases]),
  listed(embed, embedCases),
  listed(gatherRows, gatherRowsCases),
  listed(glu, gluCases),
  listed(heads, headsCases),
  listed(kvQuantize, kvQuantizeCases),
  listed(kvRecent, kvRecentCases),
  listed(kvRepair, kvRepairCases),
  listed(kvStore, [...kvStoreCases, ...pageStoreCases]),
  listed(kvCompact, kvCompactCases),
  listed(kvScoreSums, kvScoresCases),
  listed(kvScores, kvScoresCases),
  listed(linear, linearCases),
  listed(neuronDown, neuronDownCases),
  listed(neuronReport, neuronReportCases),
  listed(neuronScores, neuronScoresCases),
  listed(neuronUp, neuronUpCases),
  listed(peak, peakCases),
  listed(pickBest, sampleCases),
  listed(quantize, quantizeCases),
  listed(regroup, regroupCases),
  listed(rmsNorm, rmsNormCases),
  listed(rope, ropeCases),
  listed(samplePick, sampleCases),
  listed(sampleTiles, sampleCases),
  listed(topK, topKCases),
];
