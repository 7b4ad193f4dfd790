// y[t, OUT_START + i] = sum_k x[t, k] * w[i, k], finished by parts/epilogue, for codes of few bits, by tables of sums of
// activations instead of products: T-MAC (arXiv:2407.00088). A weight is step * code + offset; bit b of four codes picks one of the 16 sums that four
// activations can make, so 32 weights cost 8 lookups a bit and no conversion.
// x [rows, 32 * BLOCKS], w [N, 32 * BLOCKS], y [rows, Y_STRIDE].
// Grid: (GRID_X, ceil(N / 64 / GRID_X), rows), one workgroup of 256 lanes for 64 weight rows and one activation row. Lane l has
// row l % 64 and two of the eight blocks of a tile of K; four lanes make a group's table.
// Workgroup memory: 4 KiB of tables and 1 KiB of partial sums, two barriers per tile.
// Consts: N, BLOCKS, GRID_X, CODE_BITS, OVER_OUTPUT_ROWS. Parts: weight (codes32, unsigned), dot (x_four), epilogue, loop.

const TILE_BLOCKS: u32 = 8u;
const ROWS: u32 = 64u;

/// [group of four activations][which of them are added].
var<workgroup> sums: array<f32, TILE_BLOCKS * 8u * 16u>;
var<workgroup> partial: array<f32, 256>;

/// 16 weights; `at` is the table of their first group.
fn look_up(codes: vec4<u32>, at: u32, step: f32, offset: f32) -> f32 {
  let all = (sums[at + 15u] + sums[at + 31u]) + (sums[at + 47u] + sums[at + 63u]);
  var total = 0.0;
  for (var bit = 0u; bit < upto(CODE_BITS); bit++) {
    // The bits of four bytes side by side: no two of the products' terms meet.
    let bits = (codes >> vec4<u32>(bit)) & vec4<u32>(0x01010101u);
    let index = ((bits * 0x01020408u) >> vec4<u32>(24u)) & vec4<u32>(15u);
    let low = sums[at + index.x] + sums[at + 16u + index.y];
    let high = sums[at + 32u + index.z] + sums[at + 48u + index.w];
    total += f32(1u << bit) * (low + high);
  }
  return fma(step, total, offset * all);
}

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let first = (wg.y * GRID_X + wg.x) * ROWS;
  let t = wg.z;
  if (first >= N || t >= select(step.rows, step.output_rows, OVER_OUTPUT_ROWS)) {
    return;
  }
  // Rows past the end repeat the last one and are not stored.
  let row = min(first + (lane & 63u), N - 1u);
  let blocks = BLOCKS + step.reserved0;
  let part = lane & 3u;
  var acc = 0.0;
  for (var tile = 0u; tile < blocks; tile += TILE_BLOCKS) {
    let four = tile * 8u + (lane >> 2u);
    var x4 = vec4<f32>();
    if (four < blocks * 8u) {
      x4 = x_four(t, four);
    }
    let high = f32(part & 1u) * x4.z + f32(part >> 1u) * x4.w;
    workgroupBarrier();
    let to = lane * 4u;
    sums[to] = high;
    sums[to + 1u] = high + x4.x;
    sums[to + 2u] = high + x4.y;
    sums[to + 3u] = high + (x4.x + x4.y);
    workgroupBarrier();
    for (var i = 0u; i < upto(2u); i++) {
      let local = (lane >> 6u) * 2u + i;
      if (tile + local < blocks) {
        let codes = codes32(row, tile + local);
        let at = local * 128u;
        acc += look_up(codes.a, at, codes.step.x, codes.offset.x) + look_up(codes.b, at + 64u, codes.step.y, codes.offset.y);
      }
    }
  }
  partial[lane] = acc;
  workgroupBarrier();
  if (lane < ROWS) {
    let sum = (partial[lane] + partial[lane + 64u]) + (partial[lane + 128u] + partial[lane + 192u]);
    if (first + lane < N) {
      finish(t, first + lane, sum);
    }
  }
  if (first + ROWS >= N && lane == 0u) {
    zero_tail(t);
  }
}
