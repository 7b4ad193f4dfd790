// The one error type of Shaderloom and the list of its codes. Errors cross worker boundaries as plain objects, because an
// Error subclass sent through postMessage keeps only its message. Programmer errors are `assert`, not this type.

/** What went wrong, by the room that can do something about it. Sub-codes follow a dot: `FORMAT.truncated`. */
export const errorCodes = [
  "FORMAT",
  "LIMIT",
  "UNSUPPORTED",
  "MODEL",
  "TOKENIZER",
  "TEMPLATE",
  "GRAMMAR",
  "SOURCE",
  "NET",
  "INTEGRITY",
  "QUOTA",
  "STORE",
  "SESSION",
  "ENV",
  "GPU",
  "CONTEXT",
  "REQUEST",
  "BUSY",
  "WORKER",
  "AbortError",
] as const;

/** One of the codes. */
export type ErrorCode = (typeof errorCodes)[number];

/** A code, or a code with a sub-code: `GPU.oom`. */
export type FullErrorCode = ErrorCode | `${ErrorCode}.${string}`;

/** Whether a value is one of the codes, with or without a sub-code. */
export function isErrorCode(value: unknown): value is FullErrorCode {
  if (typeof value !== "string") return false;
  const [code] = value.split(".", 1);
  return errorCodes.some((known) => known === code);
}

/** Facts a program can act on: names, offsets, sizes. Plain data only, so that it survives structured clone. */
export type ErrorDetail = Record<string, string | number | boolean | null | string[]>;

/** The shape of an error on the wire between worker and page. */
export interface PlainError {
  code: FullErrorCode;
  message: string;
  retryable: boolean;
  detail: ErrorDetail;
}

/**
 * The one error type a user of Shaderloom sees.
 *
 * `message` says what happened and, in its last sentence, what to do about it. `retryable` is true when the same call may
 * succeed later without a change by the caller.
 */
export class ShaderloomError extends Error implements PlainError {
  readonly code: FullErrorCode;
  readonly retryable: boolean;
  readonly detail: ErrorDetail;

  constructor(code: FullErrorCode, message: string, options: { retryable?: boolean; detail?: ErrorDetail; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    // DOM code checks `name === "AbortError"`, so an abort keeps that name.
    this.name = code === "AbortError" ? "AbortError" : "ShaderloomError";
    this.code = code;
    this.retryable = options.retryable ?? false;
    this.detail = options.detail ?? {};
  }

  /** The wire form; `fromPlain` is its inverse. */
  toPlain(): PlainError {
    return { code: this.code, message: this.message, retryable: this.retryable, detail: this.detail };
  }

  static fromPlain(plain: PlainError): ShaderloomError {
    return new ShaderloomError(plain.code, plain.message, { retryable: plain.retryable, detail: plain.detail });
  }
}

/** The error of an aborted call, whatever the caller gave as reason; a reason of ours tells who else ended it. */
export function abortError(signal?: AbortSignal): ShaderloomError {
  const reason: unknown = signal?.reason;
  if (reason instanceof ShaderloomError && reason.code === "AbortError") return reason;
  return new ShaderloomError("AbortError", "The call was aborted by its signal.");
}

/** @throws {ShaderloomError} AbortError when the signal has fired */
export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw abortError(signal);
}

/** How Chromium, Firefox and Safari say that `import()` found no file: by their words alone. */
const missingScript = /dynamically imported module|importing a module script failed/i;

function scriptError(cause: unknown): ShaderloomError {
  const message = "A part of the program could not be fetched from its own server. Check the connection, then reload the page.";
  return new ShaderloomError("NET.script", message, { retryable: true, cause });
}

/** Any thrown value as the one error type; an unknown throw is a bug of ours and says so. */
export function asShaderloomError(thrown: unknown, code: FullErrorCode = "WORKER.internal"): ShaderloomError {
  if (thrown instanceof ShaderloomError) return thrown;
  if (thrown instanceof Error && thrown.name === "AbortError") return abortError();
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  if (missingScript.test(message)) return scriptError(thrown);
  return new ShaderloomError(code, `${message} (an internal error: please report it)`, { cause: thrown });
}

/** A condition that only a mistake in this code base can break. Never used on input. */
export function assert(condition: unknown, message: string): asserts condition {
  if (!condition) throw new Error(`assertion failed: ${message}`);
}
