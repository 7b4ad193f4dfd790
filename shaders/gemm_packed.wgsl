// y[t, OUT_START + i] = sum_k x[t, k] * w[i, k], finished by parts/epilogue, for several to many activation rows, both sides
// bytes, multiplied four at a time: sum over halves of blocks of sx * (step * sum(q qx) + offset * sum(qx)).
// x [rows, 32 * BLOCKS] signed bytes with a scale for each 32, w [N, 32 * BLOCKS], y [rows, Y_STRIDE].
// Grid, tiles, lanes and slices are those of gemm.wgsl. Tiles hold codes, a unit of 16 to each [slice][half][row], and beside
// each unit what it is to be multiplied with: (step, offset) of weights, (scale, scale * sum of the codes) of activations. The
// first lanes unpack a block of weights each; the other lanes, where there are any, else the same ones, a block of activations.
// Workgroup memory: SLICES * 48 * (TILE_N + TILE_T) bytes, and that of slices.
// Consts: TILE_N, TILE_T, LANE_N, LANE_T, SLICES, N, BLOCKS, OVER_OUTPUT_ROWS. TILE_N * SLICES is at most the number of lanes.
// Parts: a weight with codes32, dot/int8_packed, slices, epilogue, loop.

const ACROSS: u32 = TILE_N / LANE_N;
const DOWN: u32 = TILE_T / LANE_T;
const SLICE: u32 = ACROSS * DOWN;
const WG: u32 = SLICE * SLICES;
const DECODERS: u32 = TILE_N * SLICES;
const SPLIT_LANES: bool = WG > DECODERS;
const BRINGERS: u32 = WG - select(0u, DECODERS, SPLIT_LANES);

var<workgroup> w_codes: array<vec4<u32>, SLICES * 2u * TILE_N>;
var<workgroup> w_scales: array<vec2<f32>, SLICES * 2u * TILE_N>;
var<workgroup> x_codes: array<vec4<u32>, SLICES * 2u * TILE_T>;
var<workgroup> x_pairs: array<vec2<f32>, SLICES * 2u * TILE_T>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let count = select(step.rows, step.output_rows, OVER_OUTPUT_ROWS);
  let first = wg.x * TILE_N;
  let t = wg.y * TILE_T;
  if (t >= count) {
    return;
  }
  let slice = lane / SLICE;
  let across = lane % ACROSS;
  let down = (lane % SLICE) / ACROSS;
  // Rows past the end repeat the last one and are not stored; so do blocks, which no slice multiplies.
  let w_row = min(first + lane % TILE_N, N - 1u);
  let w_slice = lane / TILE_N;
  let w_at = w_slice * 2u * TILE_N + lane % TILE_N;
  let x_first = select(lane, lane - DECODERS, SPLIT_LANES);
  var acc: array<f32, LANE_N * LANE_T>;
  for (var base = 0u; base < upto(BLOCKS); base += SLICES) {
    var ws = Codes32();
    if (lane < DECODERS) {
      ws = w_block(w_row, min(base + w_slice, BLOCKS - 1u));
    }
    workgroupBarrier();
    if (lane < DECODERS) {
      w_codes[w_at] = ws.a;
      w_codes[w_at + TILE_N] = ws.b;
      w_scales[w_at] = vec2<f32>(ws.step.x, ws.offset.x);
      w_scales[w_at + TILE_N] = vec2<f32>(ws.step.y, ws.offset.y);
    }
    // The first lane after the decoders is 0; the decoders, less their number, are past the end.
    for (var i = x_first; i < SLICES * TILE_T; i += BRINGERS) {
      let row = i % TILE_T;
      let x_slice = i / TILE_T;
      let xs = x_block(min(t + row, count - 1u), min(base + x_slice, BLOCKS - 1u));
      let at = x_slice * 2u * TILE_T + row;
      x_codes[at] = xs.a;
      x_codes[at + TILE_T] = xs.b;
      x_pairs[at] = xs.scale * vec2<f32>(1.0, xs.sums.x);
      x_pairs[at + TILE_T] = xs.scale * vec2<f32>(1.0, xs.sums.y);
    }
    workgroupBarrier();
    if (base + slice < BLOCKS) {
      for (var half = 0u; half < upto(2u); half++) {
        let w_from = (slice * 2u + half) * TILE_N + across;
        let x_from = (slice * 2u + half) * TILE_T + down;
        var codes = array<vec4<u32>, LANE_N>();
        var scales = array<vec2<f32>, LANE_N>();
        for (var i = 0u; i < upto(LANE_N); i++) {
          codes[i] = w_codes[w_from + ACROSS * i];
          scales[i] = w_scales[w_from + ACROSS * i];
        }
        for (var j = 0u; j < upto(LANE_T); j++) {
          let xc = x_codes[x_from + DOWN * j];
          let pair = x_pairs[x_from + DOWN * j];
          for (var i = 0u; i < upto(LANE_N); i++) {
            let product = f32(sum_products(codes[i], xc));
            acc[j * LANE_N + i] = fma(scales[i].x * pair.x, product, fma(scales[i].y, pair.y, acc[j * LANE_N + i]));
          }
        }
      }
    }
  }
  add_slices(&acc, lane);
  if (slice == 0u) {
    for (var j = 0u; j < upto(LANE_T); j++) {
      let row = t + down + DOWN * j;
      for (var i = 0u; i < upto(LANE_N); i++) {
        let col = first + across + ACROSS * i;
        if (row < count && col < N) {
          finish(row, col, acc[j * LANE_N + i]);
        }
      }
    }
  }
  if (first + TILE_N >= N) {
    for (var row = t + lane; row < min(t + TILE_T, count); row += WG) {
      zero_tail(row);
    }
  }
}
