import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { stripWgsl } from "./strip_wgsl.mjs";

test("takes out line comments, nested block comments and blank lines", () => {
  const text = "// head\nconst A = 1u; // one\n\n/* a /* nested */\n comment */fn f() -> u32 {\n  return A / 2u; /* half */\n}\n";
  expect(stripWgsl(text)).toBe("const A=1u;\nfn f()->u32{\nreturn A/2u;\n}");
});

test("keeps tokens apart that only a comment separated", () => {
  expect(stripWgsl("const/**/A = 8u /*by*/ / /*two*/ 2u;").replaceAll(/\s+/g, " ")).toBe("const A=8u/2u;");
});

test("refuses what it would get wrong", () => {
  expect(() => stripWgsl("/* // */ const A = 1u;")).toThrow("hides its end");
});

test("spaces stay where tokens would run together", () => {
  const text =
    "var<workgroup> all : array<vec4<f32>, 4> = array<vec4<f32>, 4>();\nlet a = b - -c / *p & &q < -1;\nif (x > = y) { return - 1.5; }";
  expect(stripWgsl(text)).toBe(
    "var<workgroup>all:array<vec4<f32>,4> =array<vec4<f32>,4>();\nlet a=b- -c/ *p& &q< -1;\nif(x> =y){return-1.5;}",
  );
});

/** Tokens of a program without comments, each as long as it can be. */
function tokensOf(text: string): string[] {
  return text.match(/\w[\w.]*|<<=|>>=|->|--|\+\+|&&|\|\||<<|>>|[-+*/%=<>|&^!]=|\/[/*]|\S/g) ?? [];
}

test("every shader keeps its tokens", () => {
  const folder = join(import.meta.dirname, "..", "shaders");
  const files = readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((file) => file.endsWith(".wgsl"));
  expect(files.length).toBeGreaterThan(100);
  for (const file of files) {
    const text = readFileSync(join(folder, file), "utf8");
    // They have no block comments.
    expect(tokensOf(stripWgsl(text)), file).toEqual(tokensOf(text.replaceAll(/\/\/.*/g, "")));
  }
});
