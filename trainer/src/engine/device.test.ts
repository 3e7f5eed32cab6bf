// Devices other than the CPU. WebGPU runs on the software renderer that comes with Chromium: a graphics card's code path, far
// slower. CUDA has `npm run test:gpu`.
import { existsSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { describeDevice } from '../testing/devices.js';
import { chooseDevice, requireDevice } from './device.js';

process.env.VK_ICD_FILENAMES = '/usr/lib/chromium/vk_swiftshader_icd.json';
describeDevice('webgpu');

const cuda = existsSync('/dev/nvidiactl');
describe.skipIf(cuda)('without CUDA', () => {
  it('auto takes the CPU, and says why', async () => {
    expect(await chooseDevice()).toEqual({ device: 'cpu', reason: expect.stringContaining('CUDA') });
  });

  it('cuda by name is refused, with what is missing', async () => {
    await expect(requireDevice('cuda')).rejects.toMatchObject({
      ...{ reason: 'BACKEND_UNAVAILABLE', field: 'device' },
      message: expect.stringContaining('README says how to add CUDA'),
    });
  });
});
