// Graphs that no architecture here has yet, in which a pass has to leave a node alone.

import { expect, test } from "vitest";
import { formatByGgufType } from "../../testing/formats.ts";
import { plainCaps } from "../../testing/plain_caps.ts";
import { GraphBuilder } from "../builder.ts";
import type { Graph, Weight } from "../ir.ts";
import type { LowerOptions } from "../lowering.ts";
import { fuse } from "./index.ts";
import type { FusionName } from "./names.ts";

const options: LowerOptions = {
  phase: "decode",
  target: { caps: plainCaps, deviceClass: "gpu", precision: "f32", maxRows: 1 },
  kv: { pageTokens: 32, numKvHeads: 1, headDim: 32, type: "f32", maxPages: 4 },
  formats: formatByGgufType,
  scoreTopK: 5,
};

const matrix = (name: string, rows = 32): Weight => ({ name: `${name}.weight`, type: 0, shape: [rows, 32] });
const vector = (name: string): Weight => ({ name: `${name}.weight`, type: 0, shape: [32] });

/** A graph around some nodes, and what one pass makes of it. */
function fused(name: FusionName, draw: (g: GraphBuilder) => ReturnType<GraphBuilder["embed"]>): Graph["nodes"] {
  const g = new GraphBuilder();
  const graph = g.finish(g.linear(g.rmsNorm(g.outputRows(draw(g)), vector("output_norm"), 1e-5), matrix("output")));
  return fuse(graph, { ...options, fusion: new Set([name]) }).graph.nodes;
}

const count = (nodes: Graph["nodes"], op: string): number => nodes.filter((node) => node.op === op).length;

test("a sum goes into its product", () => {
  const nodes = fused("residual", (g) => {
    const x = g.embed(matrix("token_embd"));
    return g.add(x, g.linear(x, matrix("a")));
  });
  expect(count(nodes, "add")).toBe(0);
});

test("a sum with what is made later goes into the later of the two products", () => {
  const nodes = fused("residual", (g) => {
    const x = g.embed(matrix("token_embd"));
    return g.add(g.linear(x, matrix("a")), g.linear(x, matrix("b")));
  });
  expect(count(nodes, "add")).toBe(0);
  const [first, second] = nodes.filter((node) => node.op === "linear");
  expect([first.residual, second.residual?.id]).toEqual([undefined, first.output.id]);
});

test("a sum with what another node makes after the only product stays", () => {
  const nodes = fused("residual", (g) => {
    const x = g.embed(matrix("token_embd"));
    const product = g.linear(x, matrix("a"));
    return g.add(product, g.rmsNorm(x, vector("later"), 1e-5));
  });
  expect(count(nodes, "add")).toBe(1);
});

test("a product that somebody else reads keeps its sum apart", () => {
  const nodes = fused("residual", (g) => {
    const x = g.embed(matrix("token_embd"));
    const product = g.linear(x, matrix("a"));
    return g.add(g.rmsNorm(g.add(x, product), vector("n"), 1e-5), product);
  });
  expect(count(nodes, "add")).toBe(2);
});

test("a norm that two products read stays", () => {
  const nodes = fused("norm", (g) => {
    const h = g.rmsNorm(g.embed(matrix("token_embd")), vector("n"), 1e-5);
    return g.add(g.linear(h, matrix("a")), g.linear(h, matrix("b")));
  });
  expect(count(nodes, "rms_norm")).toBe(2);
});

test("a gate and an up of different inputs are no stack", () => {
  const nodes = fused("gate_up", (g) => {
    const x = g.embed(matrix("token_embd"));
    const y = g.linear(x, matrix("a"));
    return g.glu(g.linear(x, matrix("gate")), g.linear(y, matrix("up")), "silu");
  });
  expect(count(nodes, "glu")).toBe(1);
});
