// Why a row gives no token: what the CPU sampler throws, and what the GPU's flags stand for.

import { ShaderloomError } from "../base/errors.ts";

/** The error of a row that holds NaN or positive infinity, or nothing finite. */
export function numericError(): ShaderloomError {
  return new ShaderloomError(
    "GPU.numeric",
    "The model produced values that are not numbers. Load it again, with activations: 'f32' if another class was chosen; if it happens again the file or the driver is at fault.",
  );
}

/** The error of a mask that allows no token. */
export function deadEndError(): ShaderloomError {
  return new ShaderloomError(
    "GRAMMAR.dead_end",
    "No token of the vocabulary is allowed here. Change the grammar or schema so that every beginning it accepts can go on or end.",
  );
}
