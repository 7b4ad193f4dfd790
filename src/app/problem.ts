// Errors as the page shows them: a heading for each room of codes, the message with its advice, and what a person can do here.

/** What an error banner needs; `ShaderloomError` has this shape, also after a trip through a worker. */
export interface Problem {
  readonly code: string;
  readonly message: string;
  readonly retryable: boolean;
  readonly detail: Readonly<Record<string, unknown>>;
}

const headings: ReadonlyMap<string, string> = new Map([
  ["FORMAT", "This file cannot be read"],
  ["INTEGRITY", "This file is damaged"],
  ["UNSUPPORTED", "This model is not supported"],
  ["MODEL", "This model cannot be used"],
  ["TOKENIZER", "This model's vocabulary cannot be used"],
  ["TEMPLATE", "This model's chat template failed"],
  ["LIMIT", "This is more than can be handled"],
  ["SOURCE", "The model cannot be opened"],
  ["NET", "The download failed"],
  ["QUOTA", "The browser's storage is full"],
  ["STORE", "The browser's storage failed"],
  ["ENV", "WebGPU is not available here"],
  ["GPU.unavailable", "WebGPU is not available here"],
  ["GPU", "The GPU failed"],
  ["CONTEXT", "The conversation has become too long"],
  ["REQUEST", "The request was refused"],
  ["BUSY", "The model is busy"],
  ["WORKER", "The engine stopped"],
]);

/** The room of a code: `GPU` of `GPU.oom`. */
function room(code: string): string {
  return code.split(".")[0];
}

export function headingOf(problem: Problem): string {
  return headings.get(problem.code) ?? headings.get(room(problem.code)) ?? "Something went wrong";
}

/** Anything thrown, as a problem. */
export function asProblem(thrown: unknown): Problem {
  if (thrown instanceof Error && "code" in thrown && typeof thrown.code === "string") {
    const detail = "detail" in thrown && typeof thrown.detail === "object" && thrown.detail !== null ? { ...thrown.detail } : {};
    return { code: thrown.code, message: thrown.message, retryable: "retryable" in thrown && thrown.retryable === true, detail };
  }
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  return { code: "PAGE", message: `${message} Reload the page; if it happens again, please report it.`, retryable: false, detail: {} };
}

export function isAbort(problem: Problem): boolean {
  return problem.code === "AbortError";
}

/** Whether the engine that threw this is gone and the model has to be loaded again. */
export function endsEngine(problem: Problem): boolean {
  return ["GPU.lost", "GPU.error"].includes(problem.code) || room(problem.code) === "WORKER";
}

export function isOutOfMemory(problem: Problem): boolean {
  return problem.code === "GPU.oom";
}

/** What the banner of a failed answer offers besides dismissing it. */
export function answerRemedy(problem: Problem): "reload" | "new chat" | "retry" {
  if (endsEngine(problem)) return "reload";
  // Memory runs out while the conversation grows, so a new one helps with both.
  return room(problem.code) === "CONTEXT" || isOutOfMemory(problem) ? "new chat" : "retry";
}

/** Facts of an error, one line each. */
export function detailLines(problem: Problem): string[] {
  return Object.entries(problem.detail)
    .filter(([, value]) => value !== null && value !== undefined && value !== "")
    .map(([name, value]) => `${name}: ${Array.isArray(value) ? value.join(", ") : String(value)}`);
}
