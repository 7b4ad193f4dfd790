// A part of the runtime that is loaded when it is needed.

import { asShaderloomError } from "../base/errors.ts";

/** The runtime comes over the network too, and what it lacks there is said like any other refusal. */
export async function part<T>(loading: Promise<T>): Promise<T> {
  return loading.catch((thrown: unknown) => {
    throw asShaderloomError(thrown, "WORKER.script");
  });
}
