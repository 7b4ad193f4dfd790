// y[t, OUT_START + i] = sum_k x[t, k] * w[i, k], finished by parts/epilogue, for several to many activation rows.
// x [rows, 32 * BLOCKS], w [N, 32 * BLOCKS], y [rows, Y_STRIDE].
// Grid: (ceil(N / TILE_N), ceil(rows / TILE_T)), one workgroup per tile of y. A lane owns LANE_N x LANE_T of its products: weight
// rows apart by ACROSS, activation rows apart by DOWN. SLICES groups of lanes have the whole tile each, for every SLICES-th
// block of K, and add up at the end: few activation rows, or a small N, need lanes and have only K to share out.
// A step of K is a block for each slice: weights are decoded once, a block to each of the first lanes, into workgroup memory,
// while the other lanes, where there are any, bring the activations as vec4, neighbouring lanes neighbouring vec4. Tiles are
// [slice][vec4 of the block][row]; x's rows are permuted (row ^ vec4), so that lanes that store one row hit different banks.
// Workgroup memory: SLICES * 32 * (TILE_N + TILE_T) elements of tile_t, and that of slices.
// Consts: TILE_N, TILE_T, LANE_N, LANE_T, SLICES, TILE_F16 (tile_t is f16), N, BLOCKS, OVER_OUTPUT_ROWS. TILE_T is a multiple of
// 8, TILE_N * SLICES at most the lanes. Parts: weight, dot (x_four), slices, epilogue, loop.

const ACROSS: u32 = TILE_N / LANE_N;
const DOWN: u32 = TILE_T / LANE_T;
const SLICE: u32 = ACROSS * DOWN;
const WG: u32 = SLICE * SLICES;
/// Lanes that decode weights; with more lanes than these, the rest bring activations.
const DECODERS: u32 = TILE_N * SLICES;
const SPLIT_LANES: bool = WG > DECODERS;
const BRINGERS: u32 = WG - select(0u, DECODERS, SPLIT_LANES);

var<workgroup> w_tile: array<vec4<tile_t>, SLICES * 8u * TILE_N>;
var<workgroup> x_tile: array<vec4<tile_t>, SLICES * 8u * TILE_T>;

/// A weight beyond f16 would be infinite, and infinity times zero is no number.
fn tile_four(value: vec4<f32>) -> vec4<tile_t> {
  if (TILE_F16) {
    return vec4<tile_t>(vec4<f32>(within_f16(value.x), within_f16(value.y), within_f16(value.z), within_f16(value.w)));
  }
  return vec4<tile_t>(value);
}

fn keep_weights(at: u32, ws: Block32) {
  w_tile[at] = tile_four(ws.v0);
  w_tile[at + TILE_N] = tile_four(ws.v1);
  w_tile[at + 2u * TILE_N] = tile_four(ws.v2);
  w_tile[at + 3u * TILE_N] = tile_four(ws.v3);
  w_tile[at + 4u * TILE_N] = tile_four(ws.v4);
  w_tile[at + 5u * TILE_N] = tile_four(ws.v5);
  w_tile[at + 6u * TILE_N] = tile_four(ws.v6);
  w_tile[at + 7u * TILE_N] = tile_four(ws.v7);
}

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
  let w_at = w_slice * 8u * TILE_N + lane % TILE_N;
  let x_first = select(lane, lane - DECODERS, SPLIT_LANES);
  var acc: array<f32, LANE_N * LANE_T>;
  for (var base = 0u; base < upto(BLOCKS); base += SLICES) {
    var ws = Block32();
    if (lane < DECODERS) {
      ws = decode32(w_row, min(base + w_slice, BLOCKS - 1u));
    }
    workgroupBarrier();
    if (lane < DECODERS) {
      keep_weights(w_at, ws);
    }
    // The first lane after the decoders is 0; the decoders, less their number, are past the end.
    for (var i = x_first; i < SLICES * 8u * TILE_T; i += BRINGERS) {
      let four = i & 7u;
      let row = (i >> 3u) % TILE_T;
      let x_slice = (i >> 3u) / TILE_T;
      let value = x_four(min(t + row, count - 1u), min(base + x_slice, BLOCKS - 1u) * 8u + four);
      x_tile[(x_slice * 8u + four) * TILE_T + (row ^ four)] = vec4<tile_t>(value);
    }
    workgroupBarrier();
    if (base + slice < BLOCKS) {
      for (var k = 0u; k < upto(8u); k++) {
        let w_from = (slice * 8u + k) * TILE_N + across;
        let x_from = (slice * 8u + k) * TILE_T;
        var w_fours = array<vec4<f32>, LANE_N>();
        for (var i = 0u; i < upto(LANE_N); i++) {
          w_fours[i] = vec4<f32>(w_tile[w_from + ACROSS * i]);
        }
        for (var j = 0u; j < upto(LANE_T); j++) {
          let xv = vec4<f32>(x_tile[x_from + ((down + DOWN * j) ^ k)]);
          for (var i = 0u; i < upto(LANE_N); i++) {
            let wv = w_fours[i];
            let low = fma(xv.y, wv.y, fma(xv.x, wv.x, acc[j * LANE_N + i]));
            acc[j * LANE_N + i] = fma(xv.w, wv.w, fma(xv.z, wv.z, low));
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
