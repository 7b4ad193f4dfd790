// Keeps the values of a row whose codes are stored: somebody reads them, too.
// keep_four(at, values). Bindings: y array<vec4<act_t>>.

fn keep_four(at: u32, values: vec4<f32>) {
  y[at] = vec4<act_t>(values);
}
