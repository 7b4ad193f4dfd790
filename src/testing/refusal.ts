// The typed error of a call that must refuse.
import { ShaderloomError } from "../base/errors.ts";

/** @throws when the call does not throw, or throws anything but a ShaderloomError */
export function refusal(call: () => unknown): ShaderloomError {
  try {
    call();
  } catch (error) {
    if (error instanceof ShaderloomError) return error;
    throw error;
  }
  throw new Error("nothing was thrown");
}
