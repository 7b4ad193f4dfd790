// Softmax of rows in three passes: the maximum, the sum of exp(x - maximum), the result.
// x, y [rows, STRIDE] in vec4; partial [rows, PARTS] of (maximum, sum), total [rows].
// Entry points in order: largest (a thread for each FOURS vec4), merge_largest (a workgroup for each row), sums (as largest), merge_sums,
// write. Consts: STRIDE (vec4 of a row, a multiple of WG FOURS), PARTS, FOURS, WG.

@group(0) @binding(0) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read_write> y: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> partial: array<vec2<f32>>;
@group(0) @binding(3) var<storage, read_write> total: array<vec2<f32>>;

@compute @workgroup_size(WG)
fn largest(@builtin(workgroup_id) wg: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  var most = vec4<f32>(-3e38);
  let start = wg.y * STRIDE + wg.x * WG * FOURS + lane;
  for (var i = 0u; i < FOURS; i++) {
    most = max(most, x[start + i * WG]);
  }
  partial[wg.y * PARTS + wg.x * WG + lane].x = max(max(most.x, most.y), max(most.z, most.w));
}

var<workgroup> lanes: array<f32, WG>;

@compute @workgroup_size(WG)
fn merge_largest(@builtin(workgroup_id) wg: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  var most = -3e38;
  for (var i = lane; i < PARTS; i += WG) {
    most = max(most, partial[wg.x * PARTS + i].x);
  }
  lanes[lane] = most;
  workgroupBarrier();
  if (lane == 0) {
    for (var i = 1u; i < WG; i++) {
      most = max(most, lanes[i]);
    }
    total[wg.x].x = most;
  }
}

@compute @workgroup_size(WG)
fn sums(@builtin(workgroup_id) wg: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let most = total[wg.y].x;
  var sum = vec4<f32>();
  let start = wg.y * STRIDE + wg.x * WG * FOURS + lane;
  for (var i = 0u; i < FOURS; i++) {
    sum += exp(x[start + i * WG] - most);
  }
  partial[wg.y * PARTS + wg.x * WG + lane].y = dot(sum, vec4<f32>(1.0));
}

@compute @workgroup_size(WG)
fn merge_sums(@builtin(workgroup_id) wg: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  var sum = 0.0;
  for (var i = lane; i < PARTS; i += WG) {
    sum += partial[wg.x * PARTS + i].y;
  }
  lanes[lane] = sum;
  workgroupBarrier();
  if (lane == 0) {
    for (var i = 1u; i < WG; i++) {
      sum += lanes[i];
    }
    total[wg.x].y = sum;
  }
}

@compute @workgroup_size(WG)
fn write(@builtin(workgroup_id) wg: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let most = total[wg.y].x;
  let inverse = 1.0 / total[wg.y].y;
  let start = wg.y * STRIDE + wg.x * WG * FOURS + lane;
  for (var i = 0u; i < FOURS; i++) {
    y[start + i * WG] = exp(x[start + i * WG] - most) * inverse;
  }
}
