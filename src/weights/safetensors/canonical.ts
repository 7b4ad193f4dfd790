// From the tensors of a Hugging Face folder to a table by canonical names: which scales belong to which 8-bit weights, what each is computed
// with, and embeddings that serve as head too. Names come from the architecture, as a function.

import { ShaderloomError } from "../../base/errors.ts";
import { printable } from "../gguf/values.ts";
import { gpuType } from "../quantize_rule.ts";
import { elementsOf } from "../tensor_info.ts";
import type { Float8, TensorInfo, WeightScales } from "../tensor_info.ts";
import { encodingOf } from "./dtypes.ts";
import { unsupportedDtype } from "./header.ts";
import type { StoredTensor } from "./header.ts";

export interface CanonicalRules {
  /** The canonical name; null for a tensor that changes nothing, undefined for one that is not known. */
  tensorName(name: string): string | null | undefined;
  /** What config.json says of the head: whether it is the embedding; undefined when it says nothing. */
  readonly tied: boolean | undefined;
  /** Whether config.json says that weights were quantized, so that 8-bit ones have scales. */
  readonly scaled: boolean;
}

const embedding = "token_embd.weight";
const head = "output.weight";
/** Rows and columns that share a scale, in checkpoints with squares of them. */
const squareSide = 128;
const scaleSuffixes = ["_scale", "_scale_inv"];

/**
 * @throws {ShaderloomError} UNSUPPORTED.tensor for a tensor that nothing is known of, UNSUPPORTED.type with tensor and dtype, MODEL.shape for
 *   scales of another shape, MODEL.tensor for what is missing, MODEL.shards when two tensors have one canonical name
 */
export function canonicalTensors(stored: ReadonlyMap<string, StoredTensor>, rules: CanonicalRules): ReadonlyMap<string, TensorInfo> {
  const scales = scalesByWeight(stored);
  const taken = new Set([...scales.values()].map(({ name }) => name));
  const tensors = new Map<string, TensorInfo>();
  for (const tensor of stored.values()) {
    if (taken.has(tensor.name)) continue;
    const name = rules.tensorName(tensor.name);
    if (name === null) continue;
    if (name === undefined) throw unknownTensor(tensor);
    if (tensors.has(name)) throw unknownTensor(tensor);
    tensors.set(name, infoOf(name, tensor, { scale: scales.get(tensor.name), scaled: rules.scaled }));
  }
  tieHead(tensors, rules.tied);
  return tensors;
}

function unknownTensor({ name, dtype }: StoredTensor): ShaderloomError {
  const message = `The model has a tensor ${printable(name)} (${printable(dtype)}) that its architecture does not use here. Choose a plain model.`;
  return new ShaderloomError("UNSUPPORTED.tensor", message, { detail: { tensor: name.slice(0, 256), type: dtype } });
}

/** The scales of 8-bit weights, by the name of the weight. */
function scalesByWeight(stored: ReadonlyMap<string, StoredTensor>): ReadonlyMap<string, StoredTensor> {
  const found = new Map<string, StoredTensor>();
  for (const { name, dtype } of stored.values()) {
    if (!isFloat8(encodingOf(dtype))) continue;
    const scale = scaleSuffixes.map((suffix) => stored.get(`${name}${suffix}`)).find((one) => one !== undefined);
    if (scale !== undefined) found.set(name, scale);
  }
  return found;
}

function isFloat8(encoding: number | Float8 | undefined): encoding is Float8 {
  return typeof encoding === "string";
}

interface Scaling {
  readonly scale: StoredTensor | undefined;
  readonly scaled: boolean;
}

function infoOf(name: string, tensor: StoredTensor, { scale, scaled }: Scaling): TensorInfo {
  const { dtype, shape, offset, bytes } = tensor;
  const encoding = encodingOf(dtype);
  if (encoding === undefined) throw unsupportedDtype(tensor.name, dtype);
  if (!isFloat8(encoding)) return { name, type: encoding, shape, offset, bytes };
  if (scale === undefined && scaled) {
    const message = `The tensor ${printable(tensor.name)} (${dtype}) has no scales beside it. Get the model again, with all its files.`;
    throw new ShaderloomError("MODEL.tensor", message, { detail: { tensor: `${tensor.name}_scale`, type: dtype } });
  }
  const scales = scale && scalesOf(tensor, scale);
  return { name, type: gpuType({ name, shape, dtype: encoding }, undefined), shape, offset, bytes, stored: { type: encoding, scales } };
}

/** One for the whole, for each row, or for each square. */
function scalesOf(weight: StoredTensor, scale: StoredTensor): WeightScales {
  const type = encodingOf(scale.dtype);
  if (type === undefined || isFloat8(type)) throw unsupportedDtype(scale.name, scale.dtype);
  const cols = Math.max(weight.shape.at(-1) ?? 1, 1);
  const rows = Math.max(elementsOf(weight) / cols, 1);
  const squares = [Math.ceil(rows / squareSide), Math.ceil(cols / squareSide)];
  const shape = scale.shape.join("x");
  const facts = { name: scale.name, type, offset: scale.offset, bytes: scale.bytes };
  if (elementsOf(scale) === 1) return { ...facts, blockRows: rows, blockCols: cols, perRow: 1 };
  if (shape === `${rows}x1` || shape === `${rows}`) return { ...facts, blockRows: 1, blockCols: cols, perRow: 1 };
  if (shape === squares.join("x")) return { ...facts, blockRows: squareSide, blockCols: squareSide, perRow: squares[1] };
  const message = `The scales ${printable(scale.name)} have shape [${scale.shape.join(", ")}], which does not fit [${weight.shape.join(", ")}]. Get the model again, or another one.`;
  throw new ShaderloomError("MODEL.shape", message, { detail: { tensor: scale.name, shape } });
}

/** An embedding that is the head too is stored once, under either name; the canonical table has the embedding. */
function tieHead(tensors: Map<string, TensorInfo>, tied: boolean | undefined): void {
  const table = tensors.get(embedding);
  const output = tensors.get(head);
  if (table !== undefined && output !== undefined) {
    if (tied === true) tensors.delete(head);
    return;
  }
  const one = table ?? output;
  if (one === undefined) return;
  if (tied === false) {
    const missing = table === undefined ? "model.embed_tokens.weight" : "lm_head.weight";
    const message = `The model has no tensor ${missing}, and its config.json says that embedding and head differ. Get all its files.`;
    throw new ShaderloomError("MODEL.tensor", message, { detail: { tensor: missing } });
  }
  tensors.delete(head);
  tensors.set(embedding, { ...one, name: embedding });
}
