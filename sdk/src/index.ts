// The public API of @genserve/sdk.
export type {
  Anomaly,
  AnomalyOptions,
  AnomalyScore,
  CallOptions,
  CompleteOptions,
  Conditions,
  Decision,
  DrawOptions,
  ErrorJson,
  Generator,
  InferOptions,
  InterpolateOptions,
  LikelihoodOptions,
  Likelihoods,
  Manifest,
  Progress,
  Reason,
  SampleOptions,
  Samples,
  StreamOptions,
  Tensor,
  Tensors,
  TranslateOptions,
} from '@genserve/runtime';
export {
  type Drift,
  driftsOf,
  type FitOptions,
  fillNoise,
  float32,
  GenserveError,
  int32,
  labelNames,
  type Pixels,
  toGrid,
} from '@genserve/runtime';
export { type CachedBundle, clearCache, evictFromCache, listCache } from './bundle/cache.js';
export type { ClientGenerator, GenerateForm } from './client-generator.js';
export { type ConnectOptions, connect, listModels, type ModelSummary, type ServerOptions } from './connect.js';
export type { Device } from './device/adapter.js';
export type { DeviceBackend, OrtAssets } from './device/onnxruntime.js';
export { fromPixels, type SheetOptions, toBlob, toCanvas, toImageData } from './images.js';
export {
  type Assets,
  type DeviceGenerator,
  type HybridOptions,
  type LoadOptions,
  loadGenerator,
  type Precision,
} from './load.js';
export { normalScores } from './normal-scores.js';
export type { RemoteGenerator } from './remote/generator.js';
