// What stands before every request of both transports.
import type { Admission } from './access/admission.js';
import type { Logger } from './telemetry/log.js';
import type { WatchRequest } from './telemetry/requests.js';

export interface Entrance {
  readonly admission: Admission;
  readonly watch: WatchRequest;
  readonly log: Logger;
}
