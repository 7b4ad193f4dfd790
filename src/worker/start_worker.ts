// Starts the engine's worker from wherever the package lies: the same origin, another one (a CDN), under Trusted Types.
// Resolves when the script runs and has said whether its thread has WebGPU.

import { ShaderloomError, abortError, throwIfAborted } from "../base/errors.ts";
import { parseFromWorker } from "./protocol.ts";

/** The one policy of this package. A page that lists policies allows it with `trusted-types shaderloom`. */
const POLICY_NAME = "shaderloom";

/** Long enough for a script from a slow host; after it a page should rather load the engine itself. */
const START_TIMEOUT_MS = 30_000;

/** What this module uses of the Trusted Types API, which TypeScript's DOM types lack. The result stands for an address. */
interface AddressPolicy {
  createScriptURL(input: string): string;
}
interface PolicyFactory {
  createPolicy(name: string, rules: AddressPolicy): AddressPolicy;
}

/** A name can be taken once per page, so the policy is kept with the page and not with a copy of this module. */
const POLICY_SLOT = Symbol.for("shaderloom.trustedTypesPolicy");

function isFactory(value: unknown): value is PolicyFactory {
  return typeof value === "object" && value !== null && "createPolicy" in value;
}

function isPolicy(value: unknown): value is AddressPolicy {
  return typeof value === "object" && value !== null && "createScriptURL" in value;
}

function policyFor(factory: PolicyFactory, address: string): AddressPolicy {
  const kept: unknown = Reflect.get(globalThis, POLICY_SLOT);
  if (isPolicy(kept)) return kept;
  const policy = factory.createPolicy(POLICY_NAME, {
    createScriptURL: (input) => {
      if (input !== address) throw new TypeError("the shaderloom policy makes the address of its worker only");
      return input;
    },
  });
  Reflect.set(globalThis, POLICY_SLOT, policy);
  return policy;
}

/** The address in the form the Worker constructor accepts under Trusted Types. The policy makes this address only. */
function trusted(address: string): string {
  const factory: unknown = Reflect.get(globalThis, "trustedTypes");
  if (!isFactory(factory)) return address;
  try {
    return policyFor(factory, address).createScriptURL(address);
  } catch {
    // The page's list of policies does not have ours. Where Trusted Types are enforced the constructor will say so.
    return address;
  }
}

/** A script of another origin cannot be a worker, but a same-origin blob can import it where its host allows (CORS). */
function sameOriginAddress(url: URL): string {
  if (url.origin === globalThis.location.origin || url.protocol === "blob:" || url.protocol === "data:") return url.href;
  const source = `import ${JSON.stringify(url.href)};`;
  return URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
}

/**
 * A worker from the script beside this module.
 *
 * Bundlers find a worker's script only in the literal expression `new Worker(new URL("…", import.meta.url), …)`, so that is
 * how it is written; but Trusted Types and other origins need the address in another form. While the literal is evaluated
 * the name `Worker` therefore stands for a subclass that rewrites the address. The swap lasts for one synchronous expression.
 */
function constructWorker(): Worker {
  const NativeWorker = globalThis.Worker;
  globalThis.Worker = class extends NativeWorker {
    constructor(url: string | URL, options?: WorkerOptions) {
      super(trusted(sameOriginAddress(new URL(url, globalThis.location.href))), options);
    }
  };
  try {
    return new Worker(new URL("./entry.ts", import.meta.url), { type: "module", name: "shaderloom" });
  } finally {
    globalThis.Worker = NativeWorker;
  }
}

function startError(message: string): ShaderloomError {
  return new ShaderloomError(
    "WORKER.start",
    `The engine's worker did not start: ${message}. Check that the package's worker.js is served beside its index.js and that the page's Content-Security-Policy allows it, or pass worker: false.`,
  );
}

/** A started worker. */
export interface StartedWorker {
  readonly worker: Worker;
  /** Whether `navigator.gpu` is there. */
  readonly webgpu: boolean;
}

/** @throws {ShaderloomError} WORKER.start, AbortError; the worker is gone then */
export async function startWorker(signal?: AbortSignal): Promise<StartedWorker> {
  throwIfAborted(signal);
  let worker: Worker;
  try {
    worker = constructWorker();
  } catch (cause) {
    throw startError(cause instanceof Error ? cause.message : String(cause));
  }
  const scope = new AbortController();
  const listening = { signal: scope.signal };
  let timer: ReturnType<typeof setTimeout> | undefined;
  try {
    const webgpu = await new Promise<boolean>((resolve, reject) => {
      worker.addEventListener(
        "message",
        (event) => {
          const message = parseFromWorker(event.data);
          if (message?.kind === "hello") resolve(message.webgpu);
        },
        listening,
      );
      worker.addEventListener("error", (event) => reject(startError(event.message || "its script could not be loaded")), listening);
      signal?.addEventListener("abort", () => reject(abortError()), listening);
      timer = setTimeout(() => reject(startError("no answer")), START_TIMEOUT_MS);
    });
    return { worker, webgpu };
  } catch (error) {
    worker.terminate();
    throw error;
  } finally {
    clearTimeout(timer);
    scope.abort();
  }
}
