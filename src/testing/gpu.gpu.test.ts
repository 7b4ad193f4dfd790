// Proves the harness: a compute pass runs, and files of either size arrive whole, in every place GPU tests run.
import { expect, test } from "vitest";
import { readRepoFile, readSharedFile, sharedAvailable, sharedFileOrSkip } from "./files.ts";
import { gpuOrSkip } from "./gpu.ts";
import { peerModelOrSkip } from "./peer_model.ts";

const DOUBLE = `
@group(0) @binding(0) var<storage, read_write> data: array<u32>;
@compute @workgroup_size(32) fn main(@builtin(global_invocation_id) id: vec3u) { data[id.x] *= 2u; }`;

test("a compute pass doubles 64 numbers", async (context) => {
  const gpu = await gpuOrSkip(context);
  const device = await (await gpu.requestAdapter())?.requestDevice();
  if (device === undefined) throw new Error("no adapter");
  const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST;
  const data = device.createBuffer({ size: 256, usage });
  const back = device.createBuffer({ size: 256, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST });
  device.queue.writeBuffer(
    data,
    0,
    Uint32Array.from({ length: 64 }, (_, i) => i),
  );
  const pipeline = device.createComputePipeline({ layout: "auto", compute: { module: device.createShaderModule({ code: DOUBLE }) } });
  const bindings = device.createBindGroup({
    layout: pipeline.getBindGroupLayout(0),
    entries: [{ binding: 0, resource: { buffer: data } }],
  });
  const encoder = device.createCommandEncoder();
  const pass = encoder.beginComputePass();
  pass.setPipeline(pipeline);
  pass.setBindGroup(0, bindings);
  pass.dispatchWorkgroups(2);
  pass.end();
  encoder.copyBufferToBuffer(data, 0, back, 0, 256);
  device.queue.submit([encoder.finish()]);
  await back.mapAsync(GPUMapMode.READ);
  expect(Array.from(new Uint32Array(back.getMappedRange()))).toEqual(Array.from({ length: 64 }, (_, i) => 2 * i));
  device.destroy();
});

test("reads a file of the repository", async () => {
  const text = new TextDecoder().decode(await readRepoFile("package.json"));
  expect(JSON.parse(text)).toMatchObject({ name: "shaderloom" });
  await expect(readRepoFile("no/such/file")).rejects.toThrow("no/such/file");
});

test("reads a shared file whole", async (context) => {
  const bytes = await sharedFileOrSkip(context, "data/models/stories260K/stories260K-f32.gguf");
  expect(new TextDecoder().decode(bytes.subarray(0, 4))).toBe("GGUF");
  expect(bytes.byteLength).toBeGreaterThan(1_000_000);
  expect(await readSharedFile("data/no-such-file")).toBeUndefined();
  expect([await sharedAvailable("data/models"), await sharedAvailable("data/no-such-folder")]).toEqual([true, false]);
});

test("makes a canonical model with its reference", async (context) => {
  const model = await peerModelOrSkip(context, { shape: "small", arch: "llama", type: "q4_0" });
  expect(new TextDecoder().decode(model.gguf.subarray(0, 4))).toBe("GGUF");
  expect(model.ref.prompt).toHaveLength(32);
  expect(model.ref.logits).toHaveLength(4096);
});
