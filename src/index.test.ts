// The public surface: its names are a promise, and each carries a docblock.
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { expect, test } from "vitest";
import * as index from "./index.ts";

const src = import.meta.dirname;

/** Every exported name with the file that declares it, followed through re-exports. */
function exportedNames(path: string): Map<string, string> {
  const names = new Map<string, string>();
  const text = readFileSync(path, "utf8");
  for (const [, list, from] of text.matchAll(/export (?:type )?\{([^}]*)\} from "([^"]+)"/g)) {
    for (const name of list
      .split(",")
      .map((part) => part.trim())
      .filter((part) => part !== ""))
      names.set(name, join(dirname(path), from));
  }
  return names;
}

/** The file that declares a name itself. */
function declaringFile(name: string, path: string): string {
  const onward = exportedNames(path).get(name);
  return onward === undefined ? path : declaringFile(name, onward);
}

test("values", () => {
  expect(Object.keys(index).toSorted()).toEqual(["ShaderloomError", "createEngine", "estimate", "openModels", "probe"]);
});

test("names and types", () => {
  expect([...exportedNames(join(src, "index.ts")).keys()].toSorted()).toMatchInlineSnapshot(`
    [
      "AdapterProbe",
      "CallOptions",
      "ChatCompletion",
      "ChatCompletionChunk",
      "ChatCompletionMessageParam",
      "ChatCompletionRequest",
      "ChatLogprobs",
      "ChromeTrace",
      "Completion",
      "CompletionLogprobs",
      "CompletionRequest",
      "ComputePeaks",
      "Engine",
      "EngineInfo",
      "EngineOptions",
      "EngineStats",
      "ErrorCode",
      "ErrorDetail",
      "Estimate",
      "EstimateOptions",
      "ExecutionOptions",
      "FinishReason",
      "FullErrorCode",
      "FusionName",
      "HubOptions",
      "KernelReport",
      "KvEvictOptions",
      "KvOptions",
      "KvPolicy",
      "KvType",
      "LayerState",
      "LoadProgress",
      "ModelLibrary",
      "ModelLocation",
      "PlainError",
      "ProbeOptions",
      "Profile",
      "ProfileOptions",
      "SamplingRequest",
      "SaveSessionOptions",
      "SavedSession",
      "SessionMethods",
      "SessionOptions",
      "SessionReport",
      "SessionStorage",
      "SessionTransfer",
      "ShaderloomError",
      "StorageSpace",
      "StoreDiagnostics",
      "StoreOptions",
      "StoredModel",
      "StreamedEstimate",
      "StreamingStats",
      "SuspendedSession",
      "TokenLogprob",
      "TopToken",
      "TuneOptions",
      "TuneProgress",
      "TuneReport",
      "Usage",
      "createEngine",
      "estimate",
      "openModels",
      "probe",
    ]
  `);
});

test("every export has a docblock", () => {
  for (const [name, path] of exportedNames(join(src, "index.ts"))) {
    const file = declaringFile(name, path);
    const declaration = new RegExp(`\\*/\\nexport (?:async )?(?:function|class|interface|type|const) ${name}\\b`);
    expect(readFileSync(file, "utf8"), `${name} in ${file.slice(src.length)}`).toMatch(declaration);
  }
});
