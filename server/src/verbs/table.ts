// All verbs of genserve.v1.GeneratorService: HTTP and gRPC serve these.
export { encode } from './encode.js';
export { generate } from './generate.js';
export { getModel } from './get-model.js';
export { listModels } from './list-models.js';
export { reconstruct } from './reconstruct.js';
export { sample } from './sample.js';
export { scoreAnomaly } from './score-anomaly.js';
export { scoreLikelihood } from './score-likelihood.js';
