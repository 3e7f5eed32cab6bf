// ModelStreamInfer: many inferences over one stream. Answers come as they are ready, each with the id of its request;
// one that fails is a message of the stream and does not end it.
import { setMaxListeners } from 'node:events';
import type { inference } from '@genserve/proto/wire';
import type { handleBidiStreamingCall, ServerDuplexStream } from '@grpc/grpc-js';
import type { Entrance } from '../entrance.js';
import { publicError } from '../errors.js';
import type { RequestScope } from '../request-scope.js';
import type { Services } from '../verbs/verb.js';
import { admit, messageOf, openScope } from './calls.js';
import { statusOf } from './status.js';

type Request = inference.ModelInferRequest;
type Response = inference.ModelStreamInferResponse;

/** Requests of one stream that are under way; the next is read when one of them has been answered. */
const greatestInFlight = 64;

type Answer = (request: Request, scope: RequestScope, services: Services) => Promise<inference.ModelInferResponse>;

export function inferStream(entrance: Entrance, answer: Answer): handleBidiStreamingCall<Request, Response> {
  return async call => {
    const opened = openScope(call, entrance);
    setMaxListeners(0, opened.signal); // each request of the stream listens
    opened.sendHeaders();
    try {
      const { scope, services } = await admit(call, opened, entrance);
      await answerAll(call, request => answerOne(() => answer(messageOf({ request }), scope, services)));
      call.end();
      opened.close();
    } catch (error) {
      call.emit('error', statusOf(error, opened.requestId));
      opened.close(error);
    }
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

async function answerOne(answer: () => Promise<inference.ModelInferResponse>): Promise<Response> {
  try {
    return { errorMessage: '', inferResponse: await answer() };
  } catch (thrown) {
    const { reason, message } = publicError(thrown);
    return { errorMessage: `${reason}: ${message}`, inferResponse: undefined };
  }
}
