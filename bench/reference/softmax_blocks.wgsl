// Softmax of rows in two passes, as the sampler sums: a thread has a block of the row in registers, so that the block's maximum costs no
// pass, and the pairs are (sum of exp(x - maximum), maximum).
// x, y [rows, STRIDE] in vec4; partial [rows, PARTS] of pairs, total [rows].
// Entry points in order: sums (a thread for each FOURS vec4), merge (a workgroup for each row), write (as sums).
// Consts: STRIDE (vec4 of a row, a multiple of WG FOURS), PARTS, FOURS (8), WG.

@group(0) @binding(0) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read_write> y: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> partial: array<vec2<f32>>;
@group(0) @binding(3) var<storage, read_write> total: array<vec2<f32>>;

fn join(a: vec2<f32>, b: vec2<f32>) -> vec2<f32> {
  let most = max(a.y, b.y);
  return vec2<f32>(a.x * exp(a.y - most) + b.x * exp(b.y - most), most);
}

fn sum_of(value: vec4<f32>, most: f32) -> f32 {
  return dot(exp(value - most), vec4<f32>(1.0));
}

@compute @workgroup_size(WG)
fn sums(@builtin(workgroup_id) wg: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let start = wg.y * STRIDE + wg.x * WG * FOURS + lane;
  let x0 = x[start];
  let x1 = x[start + WG];
  let x2 = x[start + 2 * WG];
  let x3 = x[start + 3 * WG];
  let x4 = x[start + 4 * WG];
  let x5 = x[start + 5 * WG];
  let x6 = x[start + 6 * WG];
  let x7 = x[start + 7 * WG];
  let fours = max(max(max(x0, x1), max(x2, x3)), max(max(x4, x5), max(x6, x7)));
  let most = max(max(fours.x, fours.y), max(fours.z, fours.w));
  let sum = sum_of(x0, most) + sum_of(x1, most) + sum_of(x2, most) + sum_of(x3, most)
    + sum_of(x4, most) + sum_of(x5, most) + sum_of(x6, most) + sum_of(x7, most);
  partial[wg.y * PARTS + wg.x * WG + lane] = vec2<f32>(sum, most);
}

var<workgroup> lanes: array<vec2<f32>, WG>;

@compute @workgroup_size(WG)
fn merge(@builtin(workgroup_id) wg: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  var sum = vec2<f32>(0.0, -3e38);
  for (var i = lane; i < PARTS; i += WG) {
    sum = join(sum, partial[wg.x * PARTS + i]);
  }
  lanes[lane] = sum;
  workgroupBarrier();
  if (lane == 0) {
    for (var i = 1u; i < WG; i++) {
      sum = join(sum, lanes[i]);
    }
    total[wg.x] = sum;
  }
}

@compute @workgroup_size(WG)
fn write(@builtin(workgroup_id) wg: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let sum = total[wg.y];
  let inverse = 1.0 / sum.x;
  let start = wg.y * STRIDE + wg.x * WG * FOURS + lane;
  for (var i = 0u; i < FOURS; i++) {
    y[start + i * WG] = exp(x[start + i * WG] - sum.y) * inverse;
  }
}
