// Cases of the kernels over bundles of neurons.

import { f16, f32 } from "../../formats/float.ts";
import { q4_0 } from "../../formats/q4_0.ts";
import { q4_k } from "../../formats/q4_k.ts";
import { q6_k } from "../../formats/q6_k.ts";
import { q8_0 } from "../../formats/q8_0.ts";
import type { KernelCase } from "../../kernels/kernel.ts";
import type { NeuronReportAttributes, NeuronScoresAttributes, NeuronUpAttributes, SlotAttributes } from "../../kernels/neurons.ts";

/** Format, inputs, neurons of a bundle and slots: even numbers of slots have no threshold in their list. */
const shapes = [
  { format: f32, hidden: 32, neurons: 32, slots: 1 },
  { format: f16, hidden: 96, neurons: 32, slots: 6 },
  { format: q8_0, hidden: 64, neurons: 32, slots: 9 },
  { format: q4_0, hidden: 288, neurons: 32, slots: 12 },
  { format: q4_k, hidden: 256, neurons: 256, slots: 3 },
  { format: q6_k, hidden: 512, neurons: 256, slots: 4 },
] as const satisfies readonly SlotAttributes[];

function nameOf({ format, hidden, neurons, slots }: SlotAttributes): string {
  return `${format.name} ${slots} x ${neurons} of ${hidden}`;
}

export const neuronUpCases: readonly KernelCase<NeuronUpAttributes>[] = [
  ...shapes.map((shape) => ({ name: nameOf(shape), attributes: { ...shape, activation: "relu" as const }, rows: 1 })),
  { name: "three rows, SiLU", attributes: { ...shapes[2], activation: "silu" }, rows: 3 },
];

export const neuronDownCases: readonly KernelCase<SlotAttributes>[] = [
  ...shapes.map((shape) => ({ name: nameOf(shape), attributes: shape, rows: 1 })),
  { name: "three rows", attributes: shapes[3], rows: 3 },
];

export const neuronReportCases: readonly KernelCase<NeuronReportAttributes>[] = [
  { name: "1 x 32", attributes: { neurons: 32, slots: 1 }, rows: 1 },
  { name: "3 rows of 67 x 32", attributes: { neurons: 32, slots: 67 }, rows: 3 },
  { name: "3 x 256", attributes: { neurons: 256, slots: 3 }, rows: 1 },
];

export const neuronScoresCases: readonly KernelCase<NeuronScoresAttributes>[] = [
  { name: "q4_0 11 x 32 of 96", attributes: { format: q4_0, hidden: 96, neurons: 32, bundles: 11 }, rows: 1 },
  { name: "f32 3 x 256 of 64, 2 rows", attributes: { format: f32, hidden: 64, neurons: 256, bundles: 3 }, rows: 2 },
  { name: "q8_0 33 x 32 of 32", attributes: { format: q8_0, hidden: 32, neurons: 32, bundles: 33 }, rows: 1 },
];
