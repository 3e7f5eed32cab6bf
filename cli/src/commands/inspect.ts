// `genserve inspect`: what a bundle holds, from its manifest alone.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { domainShape, type Manifest, type Port, parseManifest } from '@genserve/runtime';
import { Command } from 'commander';
import { bundleFolder } from '../bundle.js';
import { jsonOption } from '../options.js';
import { bytes, duration, integer, paint, print, printFigures, table } from '../output.js';

export function inspectCommand(): Command {
  return new Command('inspect')
    .description('show what a bundle is, can do and was made from')
    .argument('<bundle>', 'models/<name>, models/<name>/<version>, or a name below models/')
    .addOption(jsonOption())
    .action(async (reference: string, { json }: { json?: boolean }) => {
      const folder = bundleFolder(reference);
      const manifest = parseManifest(JSON.parse(await readFile(join(folder, 'manifest.json'), 'utf8')));
      if (json) printFigures({ metrics: figuresOf(manifest), context: { bundle: folder, manifest } });
      else print(describe(manifest, folder));
    });
}

function figuresOf({ operations, files, provenance }: Manifest): Record<string, number> {
  return {
    ...provenance?.metrics,
    ...Object.fromEntries(
      operations.flatMap(({ name, cost }) => [
        [`operation.${name}.parameters`, cost?.parameters ?? 0],
        [`operation.${name}.macs`, cost?.macs ?? 0],
      ]),
    ),
    'bundle.bytes': files.reduce((sum, file) => sum + file.bytes, 0),
  };
}

function describe(manifest: Manifest, folder: string): string {
  const { name, version, family, description, likelihood, scores, variants, licence, provenance, files } = manifest;
  const size = files.reduce((sum, file) => sum + file.bytes, 0);
  const operations = manifest.operations.map(operation => [
    operation.name,
    operation.inputs.map(port).join(', '),
    operation.outputs.map(port).join(', '),
    integer(operation.cost?.parameters ?? 0),
    integer(operation.cost?.macs ?? 0),
  ]);
  const facts: (readonly [string, string | undefined])[] = [
    ['family', family && `${family.name}: ${family.paper}`],
    ['domain', domain(manifest)],
    ['conditions', manifest.conditions.map(({ kind, size: classes }) => `${kind} (${classes})`).join(', ')],
    ['likelihood', likelihood && `${likelihood.kind}, ${likelihood.dimensions} dimensions, ${likelihood.measure}`],
    [
      'scores',
      scores
        .map(
          score =>
            `${score.name}${score.recommended ? ' (recommended)' : ''}, calibrated on ${score.calibration?.count ?? 0} rows`,
        )
        .join('; '),
    ],
    [
      'variants',
      variants.map(variant => `${variant.name} (differs by at most ${variant.maxError.toExponential(1)})`).join(', '),
    ],
    ['size', `${bytes(size)} in ${files.length} files`],
    ['data', provenance && `${provenance.dataset}: ${provenance.split}`],
    [
      'training',
      provenance &&
        `${integer(provenance.steps)} steps in ${duration(provenance.trainingSeconds)}, preset ${provenance.preset}, seed ${provenance.seed}`,
    ],
    [
      'figures',
      Object.entries(provenance?.metrics ?? {})
        .map(([metric, value]) => `${metric} ${Number(value.toPrecision(6))}`)
        .join(', '),
    ],
    [
      'licence',
      licence &&
        `model ${licence.model}; data ${licence.data}${licence.attribution ? ` (${licence.attribution})` : ''}`,
    ],
    ['made', provenance && `${provenance.created} by ${provenance.command || 'the library'}`],
  ];
  return [
    `${paint('bold', `${name}/${version}`)} (${folder})`,
    ...(description ? [description] : []),
    '',
    ...facts.filter(([, value]) => value).map(([fact, value]) => `${fact.padEnd(11)} ${value}`),
    '',
    table(['operation', 'inputs', 'outputs', 'parameters', 'multiply-adds'], operations),
  ].join('\n');
}

function domain(manifest: Manifest): string {
  const { image } = manifest.domain ?? {};
  const kind = Object.entries(manifest.domain ?? {}).find(([, value]) => value !== undefined)?.[0] ?? '';
  const shape = domainShape(manifest.domain).join('x');
  if (!image) return `${kind} ${shape}`;
  const levels = image.levels > 0 ? `, ${image.levels} levels` : ', continuous';
  const binarisation =
    image.binarisation && image.binarisation !== 'none' ? ` (${image.binarisation} binarisation)` : '';
  const labels = image.labels.length > 0 ? `, ${image.labels.length} classes` : '';
  return `${kind} ${shape}${levels}${binarisation}${labels}, ${image.polarity}`;
}

/** "z[64] noise": without the batch. */
function port({ name, shape, role }: Port): string {
  const rest = shape.slice(1);
  return `${name}${rest.length > 0 ? `[${rest.join(',')}]` : ''}${name === role ? '' : ` ${role}`}`;
}
