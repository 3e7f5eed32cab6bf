// `npm run test:gpu`: training and operations on a CUDA device agree with the CPU's. Needs one, and onnxruntime-node's CUDA
// libraries (README, CUDA).
import { build, install, run } from './setup.mjs';

install();
build();
run('npx', ['vitest', 'run', '--config', 'vitest.gpu.config.ts']);
