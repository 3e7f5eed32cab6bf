// The benchmarks that `genserve bench` runs, each beside its rivals. They live in a checkout and are not published.
export type { Report } from './report.js';
export { benchSample, type SampleBenchOptions } from './sample/bench.js';
export { benchSdk, type SdkBenchOptions } from './sdk/bench.js';
export { benchServe, type ServeBenchOptions } from './serve/bench.js';
export { benchTrain, type TrainBenchOptions } from './train/bench.js';
export { trainNets } from './train/nets.js';
export { type ProfileOptions, profileTrain } from './train/profile.js';
