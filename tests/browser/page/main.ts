// A page with the whole SDK in reach of the test that drives it.
import * as sdk from '@genserve/sdk';

declare global {
  interface Window {
    sdk: typeof sdk;
  }
}

window.sdk = sdk;
