// Binary codecs and gRPC service definitions, by package. For server and trainer.

export * as manifest from './generated/wire/genserve/bundle/v1/manifest.js';
export * as generator from './generated/wire/genserve/v1/generator.js';
export * as errorDetails from './generated/wire/google/rpc/error_details.js';
export * as health from './generated/wire/grpc/health/v1/health.js';
export * as inference from './generated/wire/inference/grpc_service.js';
export * as modelConfig from './generated/wire/inference/model_config.js';
export * as onnx from './generated/wire/onnx/onnx.js';
