// The one import of TensorFlow.js: in Node its core alone registers no gradients (contract, section 5).
export * as tf from '@tensorflow/tfjs';
