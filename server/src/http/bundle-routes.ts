// The files of bundles, for clients that run models themselves: named by content, cached for ever, in ranges.
import { GenserveError } from '@genserve/runtime';
import { Router } from 'express';
import { servicesOf } from './scope.js';

const forever = 'public, max-age=31536000, immutable';

/** Only what the manifest lists, and the manifest; only of bundles whose files were checked. */
export function bundleRouter(): Router {
  const router = Router();
  router.get('/bundles/:name/:version/*path', (request, response, next) => {
    const { name, version } = request.params;
    const path = request.params.path.join('/');
    const { folder, model } = servicesOf(response).repository.entry(name, Number(version) || Number.NaN);
    const file = model?.manifest.files.find(candidate => candidate.path === path);
    if (model === undefined || (file === undefined && path !== 'manifest.json')) {
      throw new GenserveError('MODEL_NOT_FOUND', `path: ${name} version ${version} has no file ${path}`, {
        field: 'path',
      });
    }
    // A version never changes once published: its manifest neither.
    response.set('Cache-Control', forever);
    if (file !== undefined) response.set('ETag', `"${file.sha256}"`);
    // Reports are pages of others: they run nothing in this origin.
    if (path.endsWith('.html')) response.set('Content-Security-Policy', 'sandbox allow-scripts');
    response.sendFile(path, { root: folder, cacheControl: false, dotfiles: 'allow' }, error => {
      if (error !== undefined && !response.headersSent) next(error);
    });
  });
  return router;
}
