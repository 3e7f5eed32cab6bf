// The public API of @genserve/cli: the command line as a function.
export { EXIT_CODES } from './exit-codes.js';
export { main } from './main.js';
