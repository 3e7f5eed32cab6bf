// A verb of the service, the same for HTTP and gRPC: from a request message to response messages, without a socket.
import type { Runner } from '@genserve/runtime';
import type { z } from 'zod';
import type { Models } from '../access/restricted-repository.js';
import type { Statistics } from '../inference/statistics.js';
import type { Limits } from '../options.js';
import type { ServedModel } from '../repository/model.js';
import type { RequestScope } from '../request-scope.js';
import type { Audit } from '../telemetry/log.js';

/** What verbs work with; the same for all requests. */
export interface Services {
  readonly repository: Models;
  readonly limits: Limits;
  readonly statistics: Statistics;
  readonly audit: Audit;
  /** Runs the steps of one request: the first may be refused as OVERLOADED, later ones are not. */
  runnerFor(model: ServedModel, request: RequestScope): Runner;
}

export interface CallContext extends RequestScope {
  readonly services: Services;
}

/** The part of a generated message class that HTTP needs. */
export interface MessageJson<Message> {
  fromJSON(object: unknown): Message;
  toJSON(message: Message): unknown;
  create(): Message;
}

export interface VerbDescription {
  /** Of the rpc, e.g. 'ScoreLikelihood'. */
  readonly name: string;
  readonly summary: string;
  /** Of the JSON that HTTP takes and gives. */
  readonly requestSchema: z.ZodObject;
  readonly responseSchema: z.ZodObject;
}

export interface Verb<Request, Response> extends VerbDescription {
  readonly request: MessageJson<Request>;
  readonly response: MessageJson<Response>;
  /** One response, or the parts of a stream in order. Throws GenserveError. */
  answer(request: Request, context: CallContext): AsyncIterable<Response>;
  /** All parts of a stream as one response; absent where there is only ever one. */
  join?(parts: readonly Response[]): Response;
}

/** A verb with exactly one response. */
export async function* once<Response>(response: Promise<Response>): AsyncGenerator<Response, void, undefined> {
  yield await response;
}
