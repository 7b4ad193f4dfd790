// Builds one WGSL module from a header of constants, the bindings and plain files. WGSL allows any order of declarations, so
// parts that define the same functions can be swapped without a preprocessor.

import { assert } from "../base/errors.ts";

/** A generated constant: integers become u32, booleans bool, `{ f32 }` an f32. */
export type ConstValue = number | boolean | { readonly f32: number };

/** What varies between variants of one shader file. */
export interface Header {
  readonly enables?: readonly string[];
  /** `act_t` -> `f32`. */
  readonly aliases?: Readonly<Record<string, string>>;
  readonly consts: Readonly<Record<string, ConstValue>>;
  /**
   * Names of whole numbers that are no consts, but read from the uniform binding `shape` where files name them: dispatches that differ in
   * them alone have one text. No file may need one of them in a const expression.
   */
  readonly shape?: readonly string[];
}

/** One binding of group 0, in order. `type` is the whole WGSL type, `array<vec4<act_t>>`; `uniform` is for `shape` alone. */
export interface BindingDeclaration {
  readonly name: string;
  readonly type: string;
  readonly access: "read" | "read_write" | "uniform";
}

/** A file by its name below `shaders/`, or with its text where that is not on the list of files. */
export type ShaderFile = string | { readonly name: string; readonly text: string };

export interface ShaderRequest {
  readonly label: string;
  readonly header: Header;
  readonly bindings: readonly BindingDeclaration[];
  /** E.g. `gemv.wgsl`, `parts/dot/f32.wgsl`. */
  readonly files: readonly ShaderFile[];
  /** When set, the step state is declared as uniform `step` in group 1, with room for that many rows. */
  readonly stepRows?: number;
}

export interface AssembledShader {
  readonly code: string;
  /** Maps a line of `code` (1-based) to `file:line`, for compiler messages. */
  locate(line: number): string;
}

/** WGSL text of the step state; the layout is `base/layout.ts`'s. */
function stepDeclaration(maxRows: number): string[] {
  return [
    "struct Row { token: u32, position: u32, slot: u32, source: u32 }",
    `struct Step { rows: u32, output_rows: u32, reserved0: u32, shift: u32, row: array<Row, ${maxRows}> }`,
    "@group(1) @binding(0) var<uniform> step: Step;",
  ];
}

/** A file with words of the uniform where it names them. */
function withShape(text: string, shape: Header["shape"]): string {
  if (!shape) return text;
  return text.replaceAll(new RegExp(`\\b(?:${shape.join("|")})\\b`, "g"), "shape.$&");
}

function constLine(name: string, value: ConstValue): string {
  if (typeof value === "boolean") return `const ${name}: bool = ${value};`;
  if (typeof value === "object") return `const ${name}: f32 = ${floatLiteral(value.f32)};`;
  assert(Number.isInteger(value) && value >= 0 && value <= 0xffffffff, `const ${name} = ${value} is no u32`);
  return `const ${name}: u32 = ${value}u;`;
}

function floatLiteral(value: number): string {
  assert(Number.isFinite(value), "WGSL has no literal for NaN or infinity");
  const text = String(Math.fround(value));
  return /[.e]/.test(text) ? `${text}f` : `${text}.0f`;
}

/** Header, bindings and files as one module. Equal requests give byte-identical text, which browsers cache by. */
export function assemble(request: ShaderRequest, files: ReadonlyMap<string, string>): AssembledShader {
  const { header } = request;
  const generated = [
    ...(header.enables ?? []).map((name) => `enable ${name};`),
    ...Object.entries(header.aliases ?? {}).map(([name, type]) => `alias ${name} = ${type};`),
    ...Object.entries(header.consts).map(([name, value]) => constLine(name, value)),
    ...(header.shape ? [`struct Shape { ${header.shape.map((name) => `${name}: u32`).join(", ")} }`] : []),
    ...request.bindings.map(({ name, type, access }, index) => {
      return `@group(0) @binding(${index}) var<${access === "uniform" ? access : `storage, ${access}`}> ${name}: ${type};`;
    }),
    ...(request.stepRows === undefined ? [] : stepDeclaration(request.stepRows)),
  ];
  const parts = [{ file: `header of ${request.label}`, text: generated.join("\n") }];
  for (const file of request.files) {
    const name = typeof file === "string" ? file : file.name;
    const text = typeof file === "string" ? files.get(file) : file.text;
    assert(text !== undefined, `no shader file ${name}`);
    parts.push({ file: name, text: withShape(text, header.shape) });
  }
  return { code: parts.map(({ text }) => text).join("\n"), locate: (line) => locate(parts, line) ?? request.label };
}

/** The file and line of a line of the module, found when a message asks: a model has a hundred modules and no message. */
function locate(parts: ReadonlyArray<{ readonly file: string; readonly text: string }>, line: number): string | undefined {
  let before = 0;
  for (const { file, text } of parts) {
    const lines = text.split("\n").length;
    if (line > before && line <= before + lines) return `${file}:${line - before}`;
    before += lines;
  }
  return undefined;
}
