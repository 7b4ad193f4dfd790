// y[t, OUT_START + i] = sum_k x[t, k] * w[i, k], finished by parts/epilogue, for many activation rows, where the adapter
// multiplies small matrices in hardware: the proposal `chromium-experimental-subgroup-matrix`, which browsers may rename or drop.
// x [rows, 32 * BLOCKS], w [N, 32 * BLOCKS], y [rows, Y_STRIDE].
// Grid: (ceil(N / 64), ceil(rows / 32)), one workgroup of four subgroups per tile of 32 activation rows by 64 weight rows; a subgroup
// has 16 of these. K advances 32 at a time: the first 64 lanes decode a block each, all lanes bring activations.
// Workgroup memory: 14 KiB, 2 barriers for each block. Numbers are f16, sums f32.
// Consts: N, BLOCKS, OVER_OUTPUT_ROWS, SUBGROUP (its size, at least 16), MATRIX_M, MATRIX_N, MATRIX_K (32 activation rows, 16 weight
// rows and 32 of K are multiples). Parts: weight, dot (x_four), epilogue.

const TILE_N: u32 = 64u;
const TILE_T: u32 = 32u;
const WG: u32 = 4u * SUBGROUP;
const OWN_N: u32 = 16u;
const DOWN: u32 = TILE_T / MATRIX_M;
const ACROSS: u32 = OWN_N / MATRIX_N;

alias Left = subgroup_matrix_left<f16, MATRIX_K, MATRIX_M>;
alias Right = subgroup_matrix_right<f16, MATRIX_N, MATRIX_K>;
alias Result = subgroup_matrix_result<f32, MATRIX_N, MATRIX_M>;

var<workgroup> w_tile: array<f16, TILE_N * 32u>;
var<workgroup> x_tile: array<f16, TILE_T * 32u>;
var<workgroup> y_tile: array<f32, TILE_T * TILE_N>;

/// A weight beyond f16 would be infinite, and infinity times zero is no number.
fn keep(at: u32, value: vec4<f32>) {
  let four = vec4<f16>(clamp(value, vec4<f32>(-65504.0), vec4<f32>(65504.0)));
  w_tile[at] = four.x;
  w_tile[at + 1u] = four.y;
  w_tile[at + 2u] = four.z;
  w_tile[at + 3u] = four.w;
}

fn bring_weights(lane: u32, first: u32, block: u32) {
  let ws = decode32(min(first + lane, N - 1u), block);
  let at = lane * 32u;
  keep(at, ws.v0);
  keep(at + 4u, ws.v1);
  keep(at + 8u, ws.v2);
  keep(at + 12u, ws.v3);
  keep(at + 16u, ws.v4);
  keep(at + 20u, ws.v5);
  keep(at + 24u, ws.v6);
  keep(at + 28u, ws.v7);
}

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(local_invocation_index) lane: u32, @builtin(subgroup_id) subgroup: u32) {
  let count = select(step.rows, step.output_rows, OVER_OUTPUT_ROWS);
  let first = wg.x * TILE_N;
  let t = wg.y * TILE_T;
  if (t >= count) {
    return;
  }
  let own = subgroup * OWN_N;
  var acc = array<Result, DOWN * ACROSS>();
  for (var block = 0u; block < BLOCKS; block++) {
    workgroupBarrier();
    // Rows past the end repeat the last one and are not stored.
    if (lane < TILE_N) {
      bring_weights(lane, first, block);
    }
    for (var i = lane; i < TILE_T * 8u; i += WG) {
      let four = vec4<f16>(x_four(min(t + (i >> 3u), count - 1u), block * 8u + (i & 7u)));
      for (var j = 0u; j < 4u; j++) {
        x_tile[i * 4u + j] = four[j];
      }
    }
    workgroupBarrier();
    for (var k = 0u; k < 32u; k += MATRIX_K) {
      for (var j = 0u; j < ACROSS; j++) {
        let right = subgroupMatrixLoad<Right, col_major>(&w_tile, (own + j * MATRIX_N) * 32u + k, 32u);
        for (var i = 0u; i < DOWN; i++) {
          let left = subgroupMatrixLoad<Left, row_major>(&x_tile, i * MATRIX_M * 32u + k, 32u);
          acc[i * ACROSS + j] = subgroupMatrixMultiplyAccumulate(left, right, acc[i * ACROSS + j]);
        }
      }
    }
  }
  for (var i = 0u; i < DOWN; i++) {
    for (var j = 0u; j < ACROSS; j++) {
      let at = i * MATRIX_M * TILE_N + own + j * MATRIX_N;
      subgroupMatrixStore<row_major>(&y_tile, at, acc[i * ACROSS + j], TILE_N);
    }
  }
  workgroupBarrier();
  for (var i = lane; i < TILE_T * TILE_N; i += WG) {
    let row = t + i / TILE_N;
    let col = first + i % TILE_N;
    if (row < count && col < N) {
      finish(row, col, y_tile[i]);
    }
  }
  if (first + TILE_N >= N && lane < TILE_T && t + lane < count) {
    zero_tail(t + lane);
  }
}
