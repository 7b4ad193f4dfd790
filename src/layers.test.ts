// The rules of the rooms, as a table and a test: who may import whom, where packages enter, how long a file may be.
// ARCHITECTURE.md gives the reasons; a failure prints the room's sentence.
import { existsSync, readFileSync, readdirSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { describe, expect, test } from "vitest";
import { type Import, readImports } from "./testing/imports.ts";

interface Room {
  mayImport: string[];
  sentence: string;
}

/** A name with a slash allows that one file only. `index` is src/index.ts. */
const ROOMS: Record<string, Room> = {
  base: { mayImport: [], sentence: "base imports nothing and touches neither DOM nor WebGPU" },
  gpu: { mayImport: ["base"], sentence: "gpu knows buffers and pipelines, not what they compute" },
  text: { mayImport: ["base"], sentence: "text turns messages into ids and back; it never sees a model or a GPU" },
  sampling: { mayImport: ["base"], sentence: "sampling picks ids from numbers; it knows nothing else" },
  grammar: { mayImport: ["base"], sentence: "grammar masks ids; it knows nothing else" },
  formats: { mayImport: ["base"], sentence: "formats know how weights are stored, not who uses them" },
  store: { mayImport: ["base"], sentence: "store keeps bytes and small values; it never asks whose" },
  kernels: {
    mayImport: ["base", "gpu", "formats", "sampling"],
    sentence: "kernels know shaders, formats and the CPU sampler that is their reference, never graphs or models",
  },
  graph: { mayImport: ["base", "gpu", "formats", "kernels"], sentence: "graph turns nodes into dispatches; no models, weights or pages" },
  tuning: {
    mayImport: ["base", "gpu", "formats", "kernels", "graph"],
    sentence: "tuning checks and times variants on this adapter; it never sees a model",
  },
  kv: { mayImport: ["base", "gpu", "store"], sentence: "kv owns pages; it never sees a model" },
  weights: { mayImport: ["base", "gpu", "formats", "store"], sentence: "weights read files into GPU memory; they never see a graph" },
  streaming: {
    mayImport: ["base", "gpu", "store"],
    sentence: "streaming moves bytes of layers to the GPU; it never sees a graph or a model",
  },
  models: { mayImport: ["base", "graph/builder", "graph/ir"], sentence: "a model is drawn with the graph builder and never sees a buffer" },
  engine: {
    mayImport: [
      "base",
      "gpu",
      "text",
      "sampling",
      "grammar",
      "formats",
      "store",
      "kernels",
      "graph",
      "tuning",
      "kv",
      "weights",
      "streaming",
      "models",
    ],
    sentence: "engine runs everything below it and knows neither API shapes, workers nor the DOM",
  },
  api: {
    mayImport: ["base", "text", "sampling", "engine"],
    sentence: "api speaks OpenAI's shapes and text to the engine and never touches the GPU",
  },
  worker: { mayImport: ["base", "api"], sentence: "worker carries the api across a port and knows no engine internals" },
  index: { mayImport: ["base", "api", "worker"], sentence: "index.ts is the public door: it exports and does nothing" },
  app: { mayImport: ["index"], sentence: "app comes in by the public door like any npm user" },
};

/**
 * Packages of the runtime: the one file that may load each, lazily. Types may be named beside it. A file that does not exist
 * yet keeps its package out of every other: until there is a store/indexeddb.ts, nothing may import idb-keyval.
 */
const PACKAGES: Record<string, string> = {
  "@mlc-ai/web-tokenizers": "text/tokenizer.ts",
  "@huggingface/jinja": "text/chat_template.ts",
  "idb-keyval": "store/indexeddb.ts",
  "hash-wasm": "store/hash.ts",
};

const FORBIDDEN_NAMES = /^(?:utils?|helpers?|common|misc|manager)\.(?:ts|wgsl)$/;

const src = import.meta.dirname;
const root = dirname(src);

interface Source {
  /** Relative to src/, with forward slashes. */
  path: string;
  room: string;
  isTest: boolean;
  lines: string[];
  imports: Import[];
}

function listFiles(folder: string, ending: string): string[] {
  if (!existsSync(folder)) return [];
  const entries = readdirSync(folder, { recursive: true, encoding: "utf8" });
  return entries.map((path) => path.replaceAll("\\", "/")).filter((path) => path.endsWith(ending));
}

function roomOf(path: string): string {
  return path.includes("/") ? (path.split("/")[0] ?? "") : path.replace(/(\.test)?\.ts$/, "");
}

function readSource(path: string): Source {
  const text = readFileSync(join(src, path), "utf8");
  const room = roomOf(path);
  const isTest = path.endsWith(".test.ts") || room === "testing";
  return { path, room, isTest, lines: text.split("\n"), imports: readImports(text) };
}

/** @returns path relative to src/ of what a relative import names */
function resolve(from: Source, specifier: string): string {
  const target = join(src, dirname(from.path), specifier.replace(/\?.*$/, ""));
  return relative(src, target).replaceAll("\\", "/");
}

function packageOf(specifier: string): string {
  return specifier
    .split("/")
    .slice(0, specifier.startsWith("@") ? 2 : 1)
    .join("/");
}

const sources = listFiles(src, ".ts").map((path) => readSource(path));
const modules = sources.filter((source) => !source.isTest && !source.path.endsWith(".d.ts"));

/** @returns what is wrong with one import of a module, or undefined */
function judgeImport(from: Source, { specifier, typeOnly, lazy }: Import): string | undefined {
  if (!specifier.startsWith(".")) {
    const name = packageOf(specifier);
    const door = PACKAGES[name];
    if (door === undefined) return `${from.path} imports ${name}, which no room may`;
    if (typeOnly && roomOf(door) === from.room) return undefined;
    if (door !== from.path) return `${from.path} imports ${name}, which enters through src/${door} only`;
    return typeOnly || lazy ? undefined : `${from.path} imports ${name} eagerly; use import()`;
  }
  const target = resolve(from, specifier);
  if (target.endsWith(".wgsl")) return ["kernels", "formats"].includes(from.room) ? undefined : `${from.path} imports a shader`;
  if (target.endsWith(".css") && from.room === "app") return undefined;
  if (!target.endsWith(".ts")) return `${from.path} imports ${specifier}; only .ts, .wgsl and the app's .css are sources`;
  const room = roomOf(target);
  const allowed = ROOMS[from.room]?.mayImport ?? [];
  if (room === from.room || allowed.includes(room) || allowed.includes(target.replace(/\.ts$/, ""))) return undefined;
  return `${from.path} imports ${target}: ${ROOMS[from.room]?.sentence ?? "no such room"}`;
}

/** @returns the first cycle through `path`, as a chain of paths */
function findCycle(path: string, edges: Map<string, string[]>, chain: string[], done: Set<string>): string[] | undefined {
  if (chain.includes(path)) return [...chain.slice(chain.indexOf(path)), path];
  if (done.has(path)) return undefined;
  for (const next of edges.get(path) ?? []) {
    const cycle = findCycle(next, edges, [...chain, path], done);
    if (cycle !== undefined) return cycle;
  }
  done.add(path);
  return undefined;
}

describe("rooms", () => {
  test("every folder of src is a room of the table", () => {
    const rooms = new Set(sources.map((source) => source.room).filter((room) => room !== "testing" && room !== "layers"));
    expect([...rooms].filter((room) => ROOMS[room] === undefined)).toEqual([]);
  });

  test("the table itself has no uplink", () => {
    const order = Object.keys(ROOMS);
    const uplinks = order.flatMap((room, at) => ROOMS[room]?.mayImport.filter((other) => order.indexOf(roomOf(`${other}.ts`)) >= at) ?? []);
    expect(uplinks).toEqual([]);
  });

  test("modules import only what their room may, and packages only through their door", () => {
    const wrong = modules.flatMap((from) => from.imports.map((one) => judgeImport(from, one)));
    expect(wrong.filter((line) => line !== undefined)).toEqual([]);
  });

  test("references of kernels are read by the self-test and the interpreter alone, so that no model carries them", () => {
    const readers = modules.filter(({ path }) => !path.startsWith("kernels/references/"));
    const found = readers.filter((from) =>
      from.imports.some(({ specifier }) => resolve(from, specifier).startsWith("kernels/references/")),
    );
    const allowed = [
      "graph/interpret.ts",
      "tuning/kernel_check.ts",
      "tuning/kv_operands.ts",
      "tuning/kv_page_operands.ts",
      "tuning/operands.ts",
      "tuning/product_check.ts",
    ];
    expect(found.map(({ path }) => path).toSorted()).toEqual(allowed);
  });

  test("no file imports itself through others", () => {
    const edges = new Map<string, string[]>();
    for (const source of modules) {
      const near = source.imports.filter(({ specifier }) => specifier.startsWith(".") && specifier.endsWith(".ts"));
      edges.set(
        source.path,
        near.map(({ specifier }) => resolve(source, specifier)),
      );
    }
    const done = new Set<string>();
    const cycles = [...edges.keys()].map((path) => findCycle(path, edges, [], done)?.join(" -> "));
    expect(cycles.filter((cycle) => cycle !== undefined)).toEqual([]);
  });

  test("what lies beside src comes in by the door too, except for the rooms that it measures or breaks", () => {
    const allowed: Record<string, string[]> = {
      bench: [
        "index",
        "kernels",
        "gpu",
        "formats",
        "graph",
        "models",
        "tuning",
        "base",
        "store",
        "weights",
        "sampling",
        "engine",
        "kv",
        "streaming",
        "testing",
      ],
      campaign: ["index", "base", "store", "weights", "testing"],
      e2e: ["index", "testing"],
    };
    const wrong = Object.entries(allowed).flatMap(([folder, rooms]) =>
      listFiles(join(root, folder), ".ts").flatMap((path) =>
        readImports(readFileSync(join(root, folder, path), "utf8"))
          .map(({ specifier }) => /\/src\/(.+)$/.exec(specifier)?.[1])
          .filter((target) => target !== undefined && !rooms.includes(roomOf(target)))
          .map((target) => `${folder}/${path} imports src/${target}`),
      ),
    );
    expect(wrong).toEqual([]);
  });
});

describe("files", () => {
  const shaders = listFiles(join(root, "shaders"), ".wgsl");

  test("TypeScript files have at most 300 lines, shaders 200", () => {
    const long = sources.filter(({ lines }) => lines.length > 301).map(({ path, lines }) => `src/${path}: ${lines.length - 1}`);
    for (const path of shaders) {
      const count = readFileSync(join(root, "shaders", path), "utf8").split("\n").length - 1;
      if (count > 200) long.push(`shaders/${path}: ${count}`);
    }
    expect(long).toEqual([]);
  });

  test("names are snake_case and say what is inside", () => {
    const names = [...sources.map(({ path }) => path), ...shaders].map((path) => path.split("/").at(-1) ?? "");
    const wrong = names.filter(
      (name) => !/^[a-z][a-z0-9_]*(?:\.gpu|\.browser)?(?:\.test)?(?:\.d)?\.(?:ts|wgsl)$/.test(name) || FORBIDDEN_NAMES.test(name),
    );
    expect(wrong).toEqual([]);
  });

  test("modules open with a comment and hold no mutable state", () => {
    const silent = modules.filter(({ lines }) => !/^\/[/*]/.test(lines[0] ?? "")).map(({ path }) => `${path}: no opening comment`);
    const mutable = modules.filter(({ lines }) => lines.some((line) => /^(?:export )?(?:let|var) /.test(line)));
    expect([...silent, ...mutable.map(({ path }) => `${path}: module-level let`)]).toEqual([]);
  });
});

describe("the scanner", () => {
  test("sees every form of import and no comment", () => {
    const source = [
      'import { a } from "./a.ts";',
      'import type { B } from "./b.ts";',
      "export {",
      "  c,",
      '} from "../c/c.ts";',
      'import "./style.css";',
      '// import { no } from "no";',
      '/* import "no"; */',
      'const d = await import("d");',
      'new Worker(new URL("./host.ts", import.meta.url));',
    ].join("\n");
    expect(readImports(source)).toEqual([
      { specifier: "./a.ts", typeOnly: false, lazy: false },
      { specifier: "./b.ts", typeOnly: true, lazy: false },
      { specifier: "../c/c.ts", typeOnly: false, lazy: false },
      { specifier: "./style.css", typeOnly: false, lazy: false },
      { specifier: "d", typeOnly: false, lazy: true },
      { specifier: "./host.ts", typeOnly: false, lazy: true },
    ]);
  });
});
