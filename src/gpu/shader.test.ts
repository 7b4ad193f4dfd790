// Numbers of a shader that are no consts but words of a uniform.

import { expect, test } from "vitest";
import { assemble, type Header, type ShaderRequest } from "./shader.ts";

const file = { name: "part.wgsl", text: "// N rows.\nfn f() -> u32 {\n  return N * NORM_N + IN;\n}" };

function request(header: Header): ShaderRequest {
  return { label: "f", header, files: [file], bindings: [{ name: "shape", type: "Shape", access: "uniform" }] };
}

test("a shape is read from its uniform, whole names only", () => {
  const shader = assemble(request({ consts: { NORM_N: 2, IN: 3 }, shape: ["N", "K"] }), new Map());
  const lines = shader.code.split("\n");
  expect(lines).toContain("struct Shape { N: u32, K: u32 }");
  expect(lines).toContain("@group(0) @binding(0) var<uniform> shape: Shape;");
  expect(lines).toContain("  return shape.N * NORM_N + IN;");
  expect(shader.locate(lines.indexOf("  return shape.N * NORM_N + IN;") + 1)).toBe("part.wgsl:3");
});
