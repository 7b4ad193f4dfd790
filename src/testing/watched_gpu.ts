// A view of a GPU object that lets a test see the device an engine opens, and change what the engine sees of it.

export interface WatchedGpu {
  readonly gpu: GPU;
  /** The device opened last. */
  device(): GPUDevice;
}

/** @param disguise  wraps the device handed to the engine; methods not named pass through */
export async function watchGpu(gpu: GPU, disguise: (device: GPUDevice) => Partial<GPUDevice> = () => ({})): Promise<WatchedGpu> {
  let opened: GPUDevice | undefined;
  const watching = {
    async requestAdapter() {
      const adapter = await gpu.requestAdapter();
      if (!adapter) return null;
      const requestDevice = async (descriptor?: GPUDeviceDescriptor): Promise<GPUDevice> => {
        opened = await adapter.requestDevice(descriptor);
        return overlay(opened, disguise(opened));
      };
      return overlay(adapter, { requestDevice });
    },
  };
  return {
    gpu: watching as unknown as GPU,
    device() {
      if (!opened) throw new Error("no device was opened");
      return opened;
    },
  };
}

/** `target` with some members replaced; native getters and methods keep their receiver. */
export function overlay<T extends object>(target: T, members: Partial<T>): T {
  if (Object.keys(members).length === 0) return target;
  return new Proxy(target, {
    get(object, key) {
      if (Object.hasOwn(members, key)) return Reflect.get(members, key);
      const value = Reflect.get(object, key, object) as unknown;
      return typeof value === "function" ? (value.bind(object) as unknown) : value;
    },
  });
}
