// The routes of genserve.v1: GET for what describes models, POST /v1/models/{model}[/versions/{version}]:{verb} for the
// rest, which are found without Express (see `direct.ts`).
import type { IncomingMessage } from 'node:http';
import { generator } from '@genserve/proto/wire';
import { GenserveError, invalid } from '@genserve/runtime';
import { type Request as HttpRequest, type Response as HttpResponse, Router } from 'express';
import * as verbs from '../verbs/table.js';
import type { Verb, VerbDescription } from '../verbs/verb.js';
import { chooseForm, formNames, sendAnswer, type Views } from './answer.js';
import { MessageReader } from './message.js';
import { type Answer, scopeOf, servicesOf } from './scope.js';
import { anomalyViews, likelihoodViews, sampleViews } from './views.js';

/** One POST route: what the path says after the colon, and how it is answered. */
export interface VerbRoute {
  readonly path: string;
  readonly verb: VerbDescription;
  readonly streams: boolean;
  readonly pictures: boolean;
  readonly arrays: boolean;
  handle(target: Target, request: IncomingMessage, response: Answer): Promise<void>;
}

type Target = Readonly<{ model: string; version: number }>;

/** In the order of the documentation. */
export const verbRoutes: readonly VerbRoute[] = [
  route('sample', verbs.sample, sampleViews, withFormat),
  route('generate', verbs.generate, sampleViews, withFormat),
  route('likelihood', verbs.scoreLikelihood, likelihoodViews),
  route('anomaly', verbs.scoreAnomaly, anomalyViews, (message, form) => ({
    ...message,
    map: message.map || form === 'picture',
  })),
  route('encode', verbs.encode, {}),
  route('reconstruct', verbs.reconstruct, sampleViews, withFormat),
];

function route<Request, Response>(
  path: string,
  verb: Verb<Request, Response>,
  views: Views<Response>,
  /** What the message must ask for so that the form can be made. */
  adapt: (message: Request, form: string) => Request = message => message,
): VerbRoute {
  return {
    path,
    verb,
    streams: verb.join !== undefined,
    pictures: views.picture !== undefined,
    arrays: views.array !== undefined,
    async handle(target, request, response) {
      const services = servicesOf(response);
      response.locals.method = verb.name;
      const scope = scopeOf(request, response);
      const query = queryOf(request);
      const form = chooseForm(request, takeForm(query), verb, views);
      const reader = new MessageReader(verb, services.limits.maxBodyBytes);
      const fixed = target.version === 0 ? { model: target.model } : target;
      const message = adapt(await reader.read(request, fixed, query), form);
      await sendAnswer(response, form, verb, views, verb.answer(message, { services, ...scope }), scope.signal);
    },
  };
}

/** A sheet is drawn from numbers, whatever format the samples were asked in. */
function withFormat<Message extends { format: generator.OutputFormat }>(message: Message, form: string): Message {
  return form === 'picture' ? { ...message, format: generator.OutputFormat.FLOAT32 } : message;
}

/** The verb of `POST /v1/models/{target}`, or `POST /v1/models/{model}/versions/{target}`, whose parts are decoded. */
export async function callVerb(
  model: string | undefined,
  target: string,
  request: IncomingMessage,
  response: Answer,
): Promise<void> {
  const { before, verb } = splitTarget(target);
  const found = model === undefined ? { model: before, version: 0 } : { model, version: readVersion(before) };
  await findRoute(verb).handle(found, request, response);
}

export function verbRouter(): Router {
  const router = Router();
  router
    .route('/v1/models')
    .get((request, response) => describe(verbs.listModels, {}, request, response))
    .all(notAllowed('GET'));
  router
    .route('/v1/models/:model/versions/:target')
    .get((request, response) => {
      const { before, verb } = splitTarget(request.params.target);
      if (verb !== '') return notAllowed('POST')(request, response);
      const target = { model: request.params.model, version: readVersion(before) };
      return describe(verbs.getModel, target, request, response);
    })
    .all(notAllowed('GET, POST'));
  router
    .route('/v1/models/:target')
    .get((request, response) => {
      const { before: model, verb } = splitTarget(request.params.target);
      if (verb !== '') return notAllowed('POST')(request, response);
      return describe(verbs.getModel, { model }, request, response);
    })
    .all(notAllowed('GET, POST'));
  return router;
}

async function describe<Request, Response>(
  verb: Verb<Request, Response>,
  fields: Record<string, unknown>,
  request: HttpRequest,
  response: HttpResponse,
): Promise<void> {
  const services = servicesOf(response);
  response.locals.method = verb.name;
  const scope = scopeOf(request, response);
  const reader = new MessageReader(verb, services.limits.maxBodyBytes);
  const message = await reader.read(request, fields, queryOf(request));
  await sendAnswer(response, 'json', verb, {}, verb.answer(message, { services, ...scope }), scope.signal);
}

/** "mnist-vae:sample", which was "mnist-vae%3Asample" perhaps. */
function splitTarget(target: string): { before: string; verb: string } {
  const colon = target.lastIndexOf(':');
  return colon < 0 ? { before: target, verb: '' } : { before: target.slice(0, colon), verb: target.slice(colon + 1) };
}

function findRoute(name: string): VerbRoute {
  const found = verbRoutes.find(({ path }) => path === name);
  if (found !== undefined) return found;
  const known = verbRoutes.map(({ path }) => `:${path}`).join(', ');
  if (name === '') throw new GenserveError('METHOD_NOT_ALLOWED', `POST needs a verb after the model: ${known}`);
  throw new GenserveError('OPERATION_UNSUPPORTED', `there is no verb :${name}; verbs are ${known}`, { field: 'verb' });
}

function readVersion(text: string): number {
  const version = Number(text);
  if (Number.isSafeInteger(version) && version > 0) return version;
  throw invalid('version', `must be an integer of 1 or more, was "${text}"`);
}

function queryOf({ url = '' }: IncomingMessage): URLSearchParams {
  const mark = url.indexOf('?');
  return new URLSearchParams(mark < 0 ? '' : url.slice(mark));
}

/** The form of the answer that the URL names; what is left in `query` belongs to the message (`format=uint8` does). */
function takeForm(query: URLSearchParams): string | undefined {
  const named = query.get('format');
  if (named === null || !Object.hasOwn(formNames, named)) return undefined;
  query.delete('format');
  return named;
}

export function notAllowed(allowed: string) {
  return (request: HttpRequest, response: HttpResponse): never => {
    response.set('Allow', allowed);
    throw new GenserveError('METHOD_NOT_ALLOWED', `${request.method} is not for this path; it takes ${allowed}`);
  };
}
