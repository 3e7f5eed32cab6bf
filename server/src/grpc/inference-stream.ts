// ModelStreamInfer: many inferences over one stream. Answers come as they are ready, each with the id of its request;
// one that fails is a message of the stream and does not end it.
import { setMaxListeners } from 'node:events';
import type { inference } from '@genserve/proto/wire';
import type { handleBidiStreamingCall, ServerDuplexStream } from '@grpc/grpc-js';
import { publicError } from '../errors.js';
import type { RequestScope } from '../request-scope.js';
import { messageOf, openScope } from './calls.js';

type Request = inference.ModelInferRequest;
type Response = inference.ModelStreamInferResponse;

/** Requests of one stream that are under way; the next is read when one of them has been answered. */
const greatestInFlight = 64;

export function inferStream(
  answer: (request: Request, scope: RequestScope) => Promise<inference.ModelInferResponse>,
): handleBidiStreamingCall<Request, Response> {
  return call => {
    const scope = openScope(call);
    setMaxListeners(0, scope.signal); // each request of the stream listens
    void answerAll(call, request => answerOne(request, scope, answer)).finally(() => {
      scope.close();
      call.end();
    });
  };
}

/** Settles when the caller has no more requests and all are answered. */
async function answerAll(
  call: ServerDuplexStream<Request, Response>,
  respond: (request: Request) => Promise<Response>,
): Promise<void> {
  const inFlight = new Set<Promise<void>>();
  try {
    // Left alive at its end: answers are still to be written.
    for await (const request of call.iterator({ destroyOnReturn: false })) {
      const work = respond(request).then(response => {
        call.write(response);
        inFlight.delete(work);
      });
      inFlight.add(work);
      if (inFlight.size >= greatestInFlight) await Promise.race(inFlight);
    }
  } catch {
    // The caller is gone; what is under way ends with the scope's signal.
  }
  await Promise.all(inFlight);
}

async function answerOne(
  request: Request,
  scope: RequestScope,
  answer: (request: Request, scope: RequestScope) => Promise<inference.ModelInferResponse>,
): Promise<Response> {
  try {
    return { errorMessage: '', inferResponse: await answer(messageOf({ request }), scope) };
  } catch (thrown) {
    const { reason, message } = publicError(thrown);
    return { errorMessage: `${reason}: ${message}`, inferResponse: undefined };
  }
}
