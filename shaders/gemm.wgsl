// y[t, OUT_START + i] = sum_k x[t, k] * w[i, k] (+ bias[i]) for many activation rows.
// x [rows, 32 * BLOCKS], w [N, 32 * BLOCKS], y [rows, Y_STRIDE].
// Grid: (ceil(N / 64), ceil(rows / 64)), one workgroup of 64 lanes per 64x64 tile of y; lane l owns the 8x8 products of
// weight rows l % 8 + 8i and activation rows l / 8 + 8j. K advances 32 at a time: each lane decodes one block of a weight row
// into workgroup memory and brings eight vec4 of activations, neighbouring lanes neighbouring vec4. Tiles are
// [vec4 of the block][row]; x's rows are permuted (row ^ vec4), so that lanes that store one row hit different banks.
// Workgroup memory: 2 * 64 * 32 elements of act_t (16 KiB in f32), two barriers per block.
// Consts: N, BLOCKS, OVER_OUTPUT_ROWS. Parts: weight, dot (x_four), epilogue, loop.

const TILE: u32 = 64u;

var<workgroup> w_tile: array<vec4<act_t>, 8 * TILE>;
var<workgroup> x_tile: array<vec4<act_t>, 8 * TILE>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let count = select(step.rows, step.output_rows, OVER_OUTPUT_ROWS);
  let first = wg.x * TILE;
  let t = wg.y * TILE;
  if (t >= count) {
    return;
  }
  // Rows past the end repeat the last one and are not stored.
  let w_row = min(first + lane, N - 1u);
  let part = lane & 7u;
  var acc: array<f32, 64>;
  for (var block = 0u; block < upto(BLOCKS); block++) {
    let ws = decode32(w_row, block);
    workgroupBarrier();
    w_tile[lane] = vec4<act_t>(ws.v0);
    w_tile[lane + TILE] = vec4<act_t>(ws.v1);
    w_tile[lane + 2u * TILE] = vec4<act_t>(ws.v2);
    w_tile[lane + 3u * TILE] = vec4<act_t>(ws.v3);
    w_tile[lane + 4u * TILE] = vec4<act_t>(ws.v4);
    w_tile[lane + 5u * TILE] = vec4<act_t>(ws.v5);
    w_tile[lane + 6u * TILE] = vec4<act_t>(ws.v6);
    w_tile[lane + 7u * TILE] = vec4<act_t>(ws.v7);
    for (var row = lane >> 3u; row < TILE; row += 8u) {
      x_tile[part * TILE + (row ^ part)] = vec4<act_t>(x_four(min(t + row, count - 1u), block * 8u + part));
    }
    workgroupBarrier();
    for (var k = 0u; k < upto(8u); k++) {
      var ws8 = array<vec4<f32>, 8>();
      for (var i = 0u; i < upto(8u); i++) {
        ws8[i] = vec4<f32>(w_tile[k * TILE + part + 8u * i]);
      }
      for (var j = 0u; j < upto(8u); j++) {
        let xv = vec4<f32>(x_tile[k * TILE + (((lane >> 3u) + 8u * j) ^ k)]);
        for (var i = 0u; i < upto(8u); i++) {
          acc[j * 8u + i] += dot(ws8[i], xv);
        }
      }
    }
  }
  for (var j = 0u; j < upto(8u); j++) {
    let row = t + (lane >> 3u) + 8u * j;
    for (var i = 0u; i < upto(8u); i++) {
      let col = first + part + 8u * i;
      if (row < count && col < N) {
        finish(row, col, acc[j * 8u + i]);
      }
    }
  }
  if (first + TILE >= N && t + lane < count) {
    zero_tail(t + lane);
  }
}
