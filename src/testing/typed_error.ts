// What a promise was rejected with, checked to be the one error type with a sentence on what to do.

import { ShaderloomError } from "../base/errors.ts";

/** @throws {Error} when the promise is fulfilled, or rejected with anything but a well-made ShaderloomError */
export async function typedError(promise: Promise<unknown>): Promise<ShaderloomError> {
  const thrown: unknown = await promise.then(
    () => new Error("nothing was thrown"),
    (reason: unknown) => reason,
  );
  if (!(thrown instanceof ShaderloomError)) throw new Error(`no typed error: ${String(thrown)}`, { cause: thrown });
  const advises = /\S[.;:)"] \S.*\.$/s.test(thrown.message) || thrown.code === "AbortError";
  if (!advises) throw new Error(`${thrown.code} does not say what to do: ${thrown.message}`);
  return thrown;
}

/** The code alone. */
export async function errorCode(promise: Promise<unknown>): Promise<string> {
  return (await typedError(promise)).code;
}
